"""A terminal for a program that believes to be run by a person, with a hand on its keyboard."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

#: Run as the leader of a session: the terminal that it opens first becomes its own, as a shell's does.
_ON_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(terminal, number)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Keyboard:
    """What is typed, and the end of the terminal.

    Args:
        log: file for what the program prints.
    """

    def __init__(self, log: Path) -> None:
        self._ours, theirs = os.openpty()
        self._name = os.ttyname(theirs)
        self._theirs = theirs
        self._log = log
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._open = True
        self._reader.start()

    def command(self, words: Sequence[str]) -> list[str]:
        """The words that run ``words`` on this terminal, in a new session."""
        return [sys.executable, "-I", "-S", "-c", _ON_TERMINAL, self._name, *words]

    def press(self, key: bytes) -> None:
        """Type; ``b"\\x03"`` is Ctrl-C, ``b"\\x1a"`` Ctrl-Z."""
        os.write(self._ours, key)

    def close(self) -> None:
        """Close the window: who runs on the terminal gets SIGHUP, and can neither read nor write any more."""
        if self._open:
            self._open = False
            self._reader.join()
            os.close(self._theirs)
            os.close(self._ours)

    def _read(self) -> None:
        """A terminal that nobody reads would make the program wait as soon as it is full."""
        with open(self._log, "wb") as log:
            while self._open:
                if select.select([self._ours], [], [], 0.02)[0]:
                    with contextlib.suppress(OSError):
                        log.write(os.read(self._ours, 4096))
                        log.flush()
