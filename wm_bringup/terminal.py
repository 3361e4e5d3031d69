"""What a command and its terminal say to each other: one live line, and the wish to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WIDTH = 118


class LiveLine:
    """One line that is written over on a terminal; elsewhere a new line each time ``key`` changes."""

    def __init__(self) -> None:
        self._tty = sys.stdout.isatty()
        self._key: object = None

    def show(self, text: str, key: object) -> None:
        """Show ``text`` now; ``key`` says when it is news."""
        if self._tty:
            print(f"\r{text[:WIDTH]}\x1b[K", end="", flush=True)
        elif key != self._key:
            print(text, flush=True)
        self._key = key

    def end(self, text: str) -> None:
        """Write ``text`` in place of the live line, to stay."""
        print(f"\r\x1b[K{text}" if self._tty else text, flush=True)


class Interrupts:
    """While open, SIGINT, SIGTERM and SIGHUP only raise a flag, so that the end of a run is never cut short."""

    def __enter__(self) -> Callable[[], bool]:
        self._flag = False
        self._before = {number: signal.signal(number, self._raise_flag) for number in SIGNALS}
        return lambda: self._flag

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _raise_flag(self, *_: object) -> None:
        self._flag = True
