"""What a command and its terminal say to each other: one live line, and the wishes to stop and to suspend.

A terminal that is gone, or a file on a full disk that stands for it, loses the words and never the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from wm_core.errors import shown

#: What ends a run in order: Ctrl-C, a service manager, a closed terminal, Ctrl-\.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
WIDTH = 118


def say(text: str, file: TextIO | None = None, end: str = "\n") -> None:
    """Print, to ``file`` or to standard output, as ``print`` does; if that is gone, it is quiet from then on."""
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)  # a letter that it lacks does not make it be gone
    try:
        print(text, file=stream, end=end, flush=True)
    except (OSError, ValueError):
        # What is still in the buffer would fail once more when Python ends, and change the exit status.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def complain(text: str) -> None:
    """A sentence on standard error, as all of ``wm`` say it."""
    say(f"wm: {shown(text)}", sys.stderr)


class LiveLine:
    """One line that is written over on a terminal; elsewhere a new line each time ``key`` changes.

    What is quoted in it, such as a reason that another node gives, cannot steer the terminal.
    """

    def __init__(self) -> None:
        self._tty = sys.stdout is not None and sys.stdout.isatty()
        self._key: object = None

    def show(self, text: str, key: object) -> None:
        """Show ``text`` now; ``key`` says when it is news (None: never)."""
        if self._tty:
            say(f"\r{shown(text[:WIDTH])}\x1b[K", end="")
        elif key != self._key:
            say(shown(text))
        self._key = key

    def end(self, *lines: str) -> None:
        """Write ``lines`` in place of the live line, to stay."""
        text = "\n".join(map(shown, lines))
        say(f"\r\x1b[K{text}" if self._tty else text)


class NoLine(LiveLine):
    """Where somebody else shows the progress."""

    def show(self, text: str, key: object) -> None:
        """Show nothing."""

    def end(self, *lines: str) -> None:
        """Write nothing."""


class Interrupts:
    """While open, the signals only raise flags, so that the end of a run is never cut short.

    Called, it says whether the run shall end; every loop asks it, and in between nothing is half done. So this is also
    where a wish to be suspended (Ctrl-Z) is fulfilled.

    Attributes:
        around_suspend: called with what suspends this process and returns when it has been continued. Whoever has
            something to bring to rest first puts its own here.
        signal: the number of the first signal that ends the run; None as long as none came.
    """

    def __init__(self) -> None:
        self.around_suspend: Callable[[Callable[[], None]], None] = lambda suspend: suspend()
        self.signal: int | None = None
        self._suspend = False

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        self._before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._on_suspend)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        if self._suspend:
            self._suspend = False
            self.around_suspend(lambda: os.kill(os.getpid(), signal.SIGSTOP))
        return self.signal is not None

    @property
    def status(self) -> int:
        """The exit status of a command that a signal ended, as a shell reports it: 130 by Ctrl-C, 143 by SIGTERM."""
        return 128 + (signal.SIGINT if self.signal is None else self.signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self.signal = number if self.signal is None else self.signal

    def _on_suspend(self, *_: object) -> None:
        self._suspend = True


def status_of(interrupted: Callable[[], bool]) -> int:
    """The exit status of a run that ``interrupted`` ended."""
    return (interrupted if isinstance(interrupted, Interrupts) else Interrupts()).status
