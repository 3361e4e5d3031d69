"""Which calls of resume are a person's, and which a program's that would undo every stop. Pure bookkeeping.

A person calls it once, because the arm is stopped, and waits for the answer. A program calls it in a loop, or as soon
as the arm is stopped. It is known by that, and then has to fall silent before any call counts.
"""

from __future__ import annotations

import math

from .interface import RESUME_APART_S, RESUME_QUIET_S, RESUME_SILENCE_S, RESUME_UNNEEDED


class Resumes:
    """Told of each call, also of those that cannot succeed for other reasons. Times are steady seconds."""

    def __init__(self) -> None:
        self._called_s = self._resumed_s = -math.inf  # the last call, and the last one that succeeded
        self._apart_s = RESUME_APART_S  # how long no call must have come before one that counts
        self._unneeded = 0  # how many calls, with no silence between them, came although nothing was stopped

    def refuse(self, now_s: float, latched_s: float | None, quiet_s: float) -> str:
        """A call has come. Returns why it does not count, as a sentence; "" if it does.

        Args:
            latched_s: when the arm was stopped, or stopped again; None if it is not.
            quiet_s: for how long the controller has run since then. While it was held up, calls may have waited for it.
        """
        apart_s, self._called_s = now_s - self._called_s, now_s
        if apart_s >= RESUME_SILENCE_S:
            self._unneeded, self._apart_s = 0, RESUME_APART_S
        if latched_s is None:
            self._unneeded += 1
            if self._unneeded >= RESUME_UNNEEDED:
                self._apart_s = RESUME_SILENCE_S
            return "not stopped"
        again_s = latched_s - self._resumed_s
        early = not quiet_s >= (RESUME_QUIET_S if again_s >= RESUME_SILENCE_S else RESUME_SILENCE_S)
        repeated = not apart_s >= self._apart_s
        if early:
            self._apart_s = RESUME_SILENCE_S
        if repeated:
            return (
                f"not resumed: resume is called again and again, {apart_s:.2f} s apart; end the program that does it, "
                f"then call resume once, {self._apart_s:g} s after its last call or later"
            )
        if early:
            again = f", {again_s:.1f} s after a resume" if quiet_s >= RESUME_QUIET_S else ""
            return (
                f"not resumed: stopped {quiet_s:.1f} s ago{again}; "
                f"call resume once, {RESUME_SILENCE_S:g} s from now or later"
            )
        return ""

    def done(self, now_s: float) -> None:
        """The call has succeeded."""
        self._unneeded, self._resumed_s = 0, now_s
