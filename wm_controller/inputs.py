"""What every input has to pass before anything is done with it: numbers that are numbers, stamps that are fresh."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wm_core.limits import HISTORY_S, JUMP_SLACK_M, JUMP_SLACK_RAD, POSSIBLE_SPEED_M_S, POSSIBLE_TURN_RAD_S

from .spatial import Quat, Vec, add, length, minus, scaled, turn_between, turned

#: Clocks of two machines under NTP or PTP agree better than this; a stamp further in the future is a wrong clock.
FUTURE_S = 0.05
#: A clock that gains or loses more than this within REFERENCE_S was set: ntpd slews by 0.5 ms a second, chronyd by at
#: most 83 ms (its maxslewrate).
CLOCK_JUMP_S = 0.1
REFERENCE_S = 1.0
#: A simulated clock that does not go on for so long stands still (simulators publish it at 60 Hz or more). Braking is
#: to begin within 0.1 s, and up to a tick and a message may lie between this and the command.
STILL_S = 0.06
#: How fast the offset between the clocks is followed: faster than any daemon slews, and slow enough that one late
#: reading of a clock, in a process that was interrupted, does not change the order of two stamps.
SLEW = 0.1
#: A simulated clock goes at a pace of its own, in steps of some milliseconds; the offset is averaged over this time.
PACE_S = 0.05
#: Two stamps that are closer than this cannot be told apart; what is so little older than the one before it is as old.
STAMP_BLUR_S = 0.002


def numbers(value: ArrayLike, shape: tuple[int | None, ...], name: str) -> tuple[list[Any], str]:
    """The entries of an array as (nested) floats, and why they are not usable, or "". None in ``shape`` is any length.

    There are no entries where the shape is another one.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return [], f"{name} is not an array of numbers; see what sends it"
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("H" if n is None else str(n) for n in shape)
        return [], f"{name} has shape {array.shape} instead of ({wanted}); see what sends it"
    return array.tolist(), "" if np.isfinite(array).all() else f"{name} is not finite; see what sends it"


def stamp_fault(what: str, stamp_s: float, now_s: float, max_age_s: float) -> str:
    """Why a stamp is not one of now, as a sentence; "" if it is. All three are seconds of the steady clock."""
    age_s = now_s - stamp_s
    if not math.isfinite(age_s):
        return f"the stamp of {what} is not finite; see what sends it"
    if age_s < -FUTURE_S:
        return f"{what} is stamped {-age_s:.3f} s in the future; compare the clocks (chrony)"
    if age_s > max_age_s:
        return (
            f"{what} is {age_s:.2f} s old, more than {max_age_s:.2f} s; see what delays it, compare the clocks (chrony)"
        )
    return ""


class StampClock:
    """Reads stamps of the ROS clock, which can be set, on a steady clock, which cannot. Pure: both times are passed in.

    The controller core knows steady seconds alone, so that nothing that guards time can be stopped or wound back. Call
    :meth:`observe` with both clocks, read together, at each tick and before stamps are converted.

    A stamp is as old on the steady clock as it is on the ROS clock. The offset between the two is followed slowly, so
    that a process that is interrupted between two readings does not shake the stamps' order.

    Args:
        simulated: the ROS clock is /clock: it may go at another pace, comes in steps, and may stand still or be wound
            back at any time.
    """

    def __init__(self, simulated: bool = False) -> None:
        self._simulated = simulated
        self._offset_s = 0.0  # ROS minus steady; what stamps are converted with
        self._ros_s = self._steady_s = math.nan  # at the last observe
        self._reference_s = self._since_s = math.nan  # the offset that a jump is told from, and when it was taken
        self._moved_s = math.nan  # when the ROS clock was last seen to go on
        self._off_s = 0.0  # how far the offset was from the one in use at the last observe

    def observe(self, ros_now_s: float, steady_now_s: float) -> str:
        """Compare the clocks. Returns why the stamps from before say nothing any more, in one sentence; "" if well."""
        if not (math.isfinite(ros_now_s) and math.isfinite(steady_now_s)):
            return "the clock is not finite; restart the controller"
        if self._simulated and ros_now_s == 0.0:
            return "nothing is heard on /clock yet; start the simulator, or set use_sim_time to false"
        offset_s = ros_now_s - steady_now_s
        passed_s, went_s = steady_now_s - self._steady_s, ros_now_s - self._ros_s
        first, self._ros_s, self._steady_s = math.isnan(self._steady_s), ros_now_s, steady_now_s
        if first:
            self._begin(offset_s)
            return ""
        fault = self._standing(went_s) or self._jump(offset_s, passed_s, went_s)
        if fault:
            self._begin(offset_s)
            return fault
        self._follow(offset_s, passed_s)
        return ""

    def to_steady(self, stamp_s: float) -> float:
        """A stamp of the ROS clock on the steady clock, s."""
        return stamp_s - self._offset_s

    def to_ros(self, steady_s: float) -> float:
        """A time of the steady clock on the ROS clock, s."""
        return steady_s + self._offset_s

    def _begin(self, offset_s: float) -> None:
        self._offset_s, self._reference_s, self._off_s = offset_s, offset_s, 0.0
        self._since_s = self._steady_s
        if math.isnan(self._moved_s):
            self._moved_s = self._steady_s

    def _standing(self, went_s: float) -> str:
        if went_s != 0.0 or not self._simulated:
            self._moved_s = self._steady_s
        still_s = self._steady_s - self._moved_s
        if still_s > STILL_S:
            return f"the simulated clock has stood still for {still_s:.1f} s; let the simulator run on"
        return ""

    def _jump(self, offset_s: float, passed_s: float, went_s: float) -> str:
        if self._simulated:
            # Another pace is no fault, up to twice that of this machine; going back is, by however little.
            jump_s = went_s if went_s < 0.0 else max(0.0, went_s - 2 * passed_s)
            least_s, look = (0.0 if went_s < 0.0 else CLOCK_JUMP_S), "look for a second simulator, or a restart of it"
        else:
            jump_s = offset_s - self._reference_s
            least_s, look = CLOCK_JUMP_S, "look for what sets it (chrony, ntpd, a person)"
            if self._steady_s - self._since_s > REFERENCE_S:
                self._reference_s, self._since_s = self._offset_s, self._steady_s
        if not abs(jump_s) > least_s:
            return ""
        return f"the clock was set {'forward' if jump_s > 0.0 else 'back'} by {abs(jump_s):.2f} s; {look}"

    def _follow(self, offset_s: float, passed_s: float) -> None:
        off_s = offset_s - self._offset_s
        if self._simulated:
            self._offset_s += off_s * min(1.0, max(passed_s, 0.0) / PACE_S)
            return
        # One late reading is no clock that goes differently: to follow it would stretch and squeeze the times of a
        # stream of commands, and whoever judges that by its stamps would see jolts that the arm never got.
        sure_s = max(0.0, min(off_s, self._off_s)) + min(0.0, max(off_s, self._off_s))
        if abs(sure_s) > STAMP_BLUR_S:
            most_s = SLEW * max(passed_s, 0.0)
            sure_s = min(most_s, max(-most_s, sure_s))
            self._offset_s += sure_s
            off_s -= sure_s
        self._off_s = off_s


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
        self._seen: Measured | None = None  # the newest pose before the clock was set

    @property
    def newest(self) -> Measured | None:
        return self._poses[-1] if self._poses else None

    def clear(self) -> None:
        self._poses.clear()
        self._seen = None

    def forget_stamps(self) -> None:
        """The stamps say nothing now; where the arm was still does."""
        self._seen = self.newest or self._seen
        self._poses.clear()

    def add(self, pose: Measured) -> None:
        self._seen = None
        self._poses.append(pose)
        while self._poses[0].stamp_s < pose.stamp_s - HISTORY_S:
            self._poses.popleft()

    def jump(self, pose: Measured) -> str:
        """Why no arm can have come from the newest pose to this one in the time between, as a sentence; "" if it can.

        After a silence of more than ``gap_s`` no more than that time counts: who was not seen may not be elsewhere.
        """
        before = self.newest or self._seen
        if before is None:
            return ""
        since_s = self._gap_s if before is self._seen else min(pose.stamp_s - before.stamp_s, self._gap_s)
        metres = length(minus(pose.position, before.position))
        radians = length(turn_between(before.rotation, pose.rotation))
        if metres > POSSIBLE_SPEED_M_S * since_s + JUMP_SLACK_M:
            by = f"{metres:.2f} m"
        elif radians > POSSIBLE_TURN_RAD_S * since_s + JUMP_SLACK_RAD:
            by = f"{radians:.2f} rad"
        else:
            return ""
        return f"the measured pose jumped by {by} in {since_s:.3f} s; see what moved the arm, or who else reports it"

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
