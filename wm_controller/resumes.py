"""Which calls of resume are a person's, and which a program's that would undo every stop. Pure bookkeeping.

A person calls it once, because the arm is stopped, and waits for the answer. A program in a loop calls it whatever the
arm does. It is known by that, and then has to fall silent before any call counts.
"""

from __future__ import annotations

import math

from .interface import RESUME_APART_S, RESUME_QUIET_S, RESUME_SILENCE_S, RESUME_UNNEEDED


class Resumes:
    """Told of each call, also of those that cannot succeed for other reasons. Times are steady seconds."""

    def __init__(self) -> None:
        self._called_s = -math.inf  # the last time
        self._apart_s = RESUME_APART_S  # how long no call must have come before one that counts
        self._early = 0  # how many calls, with no pause between them, came too soon after a stop
        self._unneeded = 0  # how many calls, with no silence between them, came although nothing was stopped

    def refuse(self, now_s: float, latched_s: float | None) -> str:
        """A call has come. Returns why it does not count, as a sentence; "" if it does.

        Args:
            latched_s: when the arm was stopped, or stopped again; None if it is not.
        """
        apart_s, self._called_s = now_s - self._called_s, now_s
        wanted_s = self._apart_s
        if apart_s >= wanted_s:
            self._apart_s = RESUME_APART_S
        if apart_s >= RESUME_QUIET_S:
            self._early = 0
        if apart_s >= RESUME_SILENCE_S:
            self._unneeded = 0
        if latched_s is None:
            self._unneeded += 1
            if self._unneeded >= RESUME_UNNEEDED:
                self._apart_s = RESUME_SILENCE_S
            return "not stopped"
        quiet_s = now_s - latched_s
        if not quiet_s >= RESUME_QUIET_S:
            self._early += 1
            if self._early > 1:
                self._apart_s = max(self._apart_s, RESUME_QUIET_S)
        if not apart_s >= wanted_s:
            return (
                f"not resumed: resume is called again and again, {apart_s:.2f} s apart; end the program that does it, "
                f"then call resume once, {max(wanted_s, self._apart_s):g} s after its last call or later"
            )
        if not quiet_s >= RESUME_QUIET_S:
            return f"not resumed: stopped {quiet_s:.1f} s ago; call resume {RESUME_QUIET_S:g} s after a stop or later"
        self._unneeded = 0
        return ""
