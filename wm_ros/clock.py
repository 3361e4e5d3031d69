"""The steady clock that all nodes live by."""

from __future__ import annotations

import time

#: Nobody can set it, and it goes on while the machine sleeps: an arm must not go on from before the lid was closed.
#: Linux's CLOCK_MONOTONIC stands still then; that of macOS does not, and there is no other there.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_s() -> float:
    """The time since the machine was booted, s, suspends included."""
    return time.clock_gettime(_CLOCK)
