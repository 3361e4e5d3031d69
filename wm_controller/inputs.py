"""What every input has to pass before anything is done with it: numbers that are numbers, stamps that are fresh."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wm_core.limits import JUMP_SLACK_M, JUMP_SLACK_RAD, POSSIBLE_SPEED_M_S, POSSIBLE_TURN_RAD_S

from .interface import HISTORY_S
from .spatial import Quat, Vec, add, length, minus, scaled, turn_between, turned

#: Clocks of two machines under NTP or PTP agree better than this; a stamp further in the future is a wrong clock.
FUTURE_S = 0.05
#: A clock that gains or loses more than this between two ticks was set; NTP slews by at most 0.5 ms a second.
CLOCK_JUMP_S = 0.1


def numbers(value: ArrayLike, shape: tuple[int | None, ...], name: str) -> tuple[list, str]:
    """The entries of an array as (nested) floats, or why they are not usable. None in ``shape`` is any length."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return [], f"{name} is not an array of numbers"
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("H" if n is None else str(n) for n in shape)
        return [], f"{name} has shape {array.shape} instead of ({wanted})"
    if not np.isfinite(array).all():
        return [], f"{name} is not finite"
    return array.tolist(), ""


def stamp_fault(what: str, stamp_s: float, now_s: float, max_age_s: float) -> str:
    """Why a stamp is not one of now, as a sentence; "" if it is. An age is by the clock of this machine."""
    age_s = now_s - stamp_s
    if not math.isfinite(age_s):
        return f"the stamp of {what} is not finite"
    if age_s < -FUTURE_S:
        return f"{what} is stamped {-age_s:.3f} s in the future; compare the clocks"
    if age_s > max_age_s:
        return f"{what} is {age_s:.2f} s old, more than {max_age_s:.2f} s"
    return ""


class Clock:
    """Compares the clock of the stamps with one that nobody can set."""

    def __init__(self) -> None:
        self._now_s: float | None = None
        self._steady_s: float | None = None

    def jump(self, now_s: float, steady_s: float | None) -> float:
        """How far the clock was set since the last call, s; 0 for less than CLOCK_JUMP_S.

        ``steady_s`` is a monotonic clock of any epoch. Without one (None) only a step back can be told.
        """
        before_s, self._now_s = self._now_s, now_s
        steady_before_s, self._steady_s = self._steady_s, steady_s
        if before_s is None:
            return 0.0
        if steady_s is None or steady_before_s is None:
            jump_s = min(0.0, now_s - before_s)
            return jump_s if jump_s < -FUTURE_S else 0.0
        jump_s = (now_s - before_s) - (steady_s - steady_before_s)
        return jump_s if abs(jump_s) > CLOCK_JUMP_S else 0.0


@dataclass(frozen=True)
class Measured:
    """A measured pose that has passed."""

    stamp_s: float
    position: Vec
    rotation: Quat
    gripper: float


class Past:
    """The measured poses of the last HISTORY_S; ``gap_s`` is the longest silence that is interpolated across."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._poses: deque[Measured] = deque()

    @property
    def newest(self) -> Measured | None:
        return self._poses[-1] if self._poses else None

    def clear(self) -> None:
        self._poses.clear()

    def add(self, pose: Measured) -> None:
        self._poses.append(pose)
        while self._poses[0].stamp_s < pose.stamp_s - HISTORY_S:
            self._poses.popleft()

    def jump(self, pose: Measured) -> str:
        """Why no arm can have come from the newest pose to this one in the time between, as a sentence; "" if it can.

        After a silence of more than ``gap_s`` no more than that time counts: who was not seen may not be elsewhere.
        """
        if self.newest is None:
            return ""
        since_s = min(pose.stamp_s - self.newest.stamp_s, self._gap_s)
        metres = length(minus(pose.position, self.newest.position))
        radians = length(turn_between(self.newest.rotation, pose.rotation))
        if metres > POSSIBLE_SPEED_M_S * since_s + JUMP_SLACK_M:
            return f"the measured pose jumped by {metres:.2f} m in {since_s:.3f} s"
        if radians > POSSIBLE_TURN_RAD_S * since_s + JUMP_SLACK_RAD:
            return f"the measured pose jumped by {radians:.2f} rad in {since_s:.3f} s"
        return ""

    def at(self, stamp_s: float) -> Measured | None:
        """The pose at a past time, interpolated; None if none was near."""
        later: Measured | None = None
        for pose in reversed(self._poses):
            if pose.stamp_s <= stamp_s:
                if later is None:
                    return pose if stamp_s - pose.stamp_s <= self._gap_s else None
                gap_s = later.stamp_s - pose.stamp_s
                if gap_s > self._gap_s:
                    return None
                share = (stamp_s - pose.stamp_s) / gap_s
                return Measured(
                    stamp_s,
                    add(pose.position, minus(later.position, pose.position), share),
                    turned(pose.rotation, scaled(turn_between(pose.rotation, later.rotation), share)),
                    pose.gripper + share * (later.gripper - pose.gripper),
                )
            later = pose
        return None
