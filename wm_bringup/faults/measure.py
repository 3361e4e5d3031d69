"""From the recorded streams of a faulted run to figures. Pure functions over arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wm_bringup.recorder import Record
from wm_controller.monitor import SILENT_S, EnvelopeMonitor
from wm_core.limits import Limits
from wm_core.reports import AT_REST, ControllerState, Mode

Array = NDArray[np.float64]

#: What is said of a controller that is gone without a word.
SILENT = "silent"
#: Targets nearer together than this are the same: rounding of a stamped pose, no motion.
SAME_M, SAME_RAD = 1e-6, 1e-6
#: Slower than this the arm is at rest: its impedance law settles without an end.
REST_M_S = 0.005
#: The arm's speed is taken over this time: a measured pose has noise.
SPEED_WINDOW_S = 0.06
#: A stream of targets begins no further from the measured arm than this.
BEGINS_M = 0.01
#: Over what time before its rest the direction of the target's motion is taken.
APPROACH_S = 0.1


@dataclass(frozen=True)
class Measures:
    """What happened from the fault on. Times are in s after it; None where it did not happen."""

    outcome: str  # the controller's mode when the fault ended; "silent" if no target came, and it had not said why
    reason: str  # what the controller said when it first held or stopped; else what it said last
    after: str  # its mode at the end of the record, after the fault has been healed
    hold_s: float | None  # until the controller reported that the arm is held or stopped
    first_rest_s: float | None  # until the target first stood still after that report
    rest_s: float  # until the last commanded motion before the fault ended
    arm_rest_s: float  # until the measured arm came to rest for good
    peak_m_s: float  # fastest commanded motion to the end of the record
    arm_peak_m_s: float  # fastest measured motion
    travel_m: float  # path of the target while the fault lasted
    arm_travel_m: float  # path of the arm
    moved_after_m: float  # path of the target from its rest to the end of the record, after the fault was healed too
    overshoot_m: float  # how far the arm ran past the target's last place, in the direction of its last motion
    violations: dict[str, int]  # of the envelope, by kind, from the fault to the end of the record
    gap_s: float  # longest pause in the stream of targets
    rate_hz: float  # targets per second while the fault lasted


def measure(record: Record, injected_s: float, healed_s: float, limits: Limits | None) -> Measures:
    """The figures of one run.

    Args:
        record: all streams, from before the fault to after it.
        injected_s: when the fault began.
        healed_s: when it ended; what counts as hold or rest must come before.
        limits: what the stream is judged by; None where its stamps do not tell the time.
    """
    targets, arm = record.targets.table, record.arm.table
    during, arm_during = _between(targets, injected_s, healed_s), _between(arm, injected_s, healed_s)
    after, arm_after = _between(targets, injected_s, np.inf), _between(arm, injected_s, np.inf)
    # What another controller says of itself at its start is not about this arm.
    said = [state for state in record.states if state.mode != Mode.IDLE]
    holds = [state for state in said if state.stamp_s >= injected_s and state.mode in AT_REST]
    first = next((state for state in holds if state.stamp_s <= healed_s), None)
    held = _state_at(said, injected_s)
    if held.mode in AT_REST:  # the fault was seen sooner than we knew that it had been done, or the arm held already
        first = dataclasses.replace(held, stamp_s=injected_s)
    silent = len(during) == 0 or healed_s - during[-1, 0] > SILENT_S
    last = _state_at(said, healed_s)
    rest_s = _last_motion_s(during)
    first_rest_s = None if first is None else _first_rest_s(during, first.stamp_s, healed_s)
    return Measures(
        outcome=SILENT if silent and last.mode not in AT_REST else last.mode,
        reason=(first or last).reason,
        after=_state_at(said, np.inf).mode,
        hold_s=None if first is None else first.stamp_s - injected_s,
        first_rest_s=None if first_rest_s is None else first_rest_s - injected_s,
        rest_s=max(0.0, rest_s - injected_s),
        arm_rest_s=max(0.0, _arm_rest_s(arm_during) - injected_s),
        peak_m_s=float(_speeds(after).max(initial=0.0)),
        arm_peak_m_s=float(_smooth_speeds(arm_after).max(initial=0.0)),
        travel_m=_path_m(during),
        arm_travel_m=_path_m(arm_during),
        overshoot_m=_overshoot_m(during, arm_during, rest_s),
        moved_after_m=_path_m(_between(targets, max(rest_s, injected_s), np.inf)),
        violations={} if limits is None else violations(record, limits, injected_s),
        gap_s=float(np.diff(after[:, 0]).max(initial=0.0)),
        rate_hz=len(during) / max(healed_s - injected_s, 1e-3),
    )


def violations(record: Record, limits: Limits, since_s: float) -> dict[str, int]:
    """Envelope violations of the targets from ``since_s`` on, by kind; those that did not happen are left out.

    After a pause in which the arm was at rest, and nobody knew where, they may begin anew where it then is.
    """
    targets, arm = record.targets.table, record.arm.table
    judge, last_s = EnvelopeMonitor(limits), -np.inf
    before = dict(judge.counts)
    for (stamp_s, *pose), frozen in zip(targets.tolist(), _frozen(targets, record.states), strict=True):
        if stamp_s - last_s > SILENT_S:
            here = _between(arm, stamp_s - SILENT_S, stamp_s)[-1:, 1:4]
            if len(here) and np.linalg.norm(here[0] - pose[:3]) < BEGINS_M:
                judge.check(stamp_s, None)
        last_s = stamp_s
        judge.check(stamp_s, pose, stopped=frozen)
        if stamp_s < since_s:
            before = dict(judge.counts)
    return {kind: judge.counts[kind] - before[kind] for kind in judge.counts if judge.counts[kind] > before[kind]}


def _frozen(targets: Array, states: list[ControllerState]) -> list[bool]:
    """Whether a stop was latched at each target.

    A stop freezes the target abruptly, a moment before it is reported: what is equal to the first target after the
    report, back to the last that moved, is frozen already.
    """
    frozen = np.zeros(len(targets), dtype=bool)
    said = sorted((state for state in states if state.mode != Mode.IDLE), key=lambda state: state.stamp_s)
    for state, then in pairwise([*said, ControllerState(Mode.IDLE, "", np.inf)]):
        start, end = np.searchsorted(targets[:, 0], (state.stamp_s, then.stamp_s))
        if state.mode != Mode.STOPPED or start == end:  # a fault brakes within the limits, as a hold does
            continue
        last = start
        while last > 0 and np.array_equal(targets[last - 1, 1:], targets[last, 1:]):
            last -= 1
        frozen[min(last + 1, start) : end] = True
    return frozen.tolist()


def _between(rows: Array, from_s: float, to_s: float) -> Array:
    return rows[(rows[:, 0] >= from_s) & (rows[:, 0] <= to_s)]


def _state_at(states: list[ControllerState], time_s: float) -> ControllerState:
    """What was last said before that; idle if nothing was."""
    nothing = ControllerState(Mode.IDLE, "", -np.inf)
    return next((state for state in reversed(states) if state.stamp_s <= time_s), nothing)


def _path_m(rows: Array) -> float:
    return float(np.linalg.norm(np.diff(rows[:, 1:4], axis=0), axis=1).sum())


def _speeds(rows: Array) -> Array:
    """Speed (m/s) between each two rows that are 1 ms or more apart: two commands in one tick are one command."""
    gaps_s = np.diff(rows[:, 0])
    shifts_m = np.linalg.norm(np.diff(rows[:, 1:4], axis=0), axis=1)
    return shifts_m[gaps_s >= 1e-3] / gaps_s[gaps_s >= 1e-3]


def _smooth_speeds(rows: Array) -> Array:
    """Speed (m/s) at each row over the time before it."""
    if len(rows) < 2:
        return np.zeros(0)
    starts = np.clip(np.searchsorted(rows[:, 0], rows[:, 0] - SPEED_WINDOW_S), 0, np.arange(len(rows)) - 1)[1:]
    gaps_s = np.maximum(rows[1:, 0] - rows[starts, 0], 1e-3)
    return np.linalg.norm(rows[1:, 1:4] - rows[starts, 1:4], axis=1) / gaps_s


def _moved(targets: Array) -> NDArray[np.bool_]:
    """Whether each target but the first lies elsewhere than the one before it."""
    steps = np.abs(np.diff(targets[:, 1:], axis=0))
    steps[:, 3:] = np.minimum(steps[:, 3:], 2.0 * np.pi - steps[:, 3:])  # roll lies at the seam of +-pi
    return (steps[:, :3].max(axis=1, initial=0.0) > SAME_M) | (steps[:, 3:].max(axis=1, initial=0.0) > SAME_RAD)


def _last_motion_s(targets: Array) -> float:
    """When the target last moved; minus infinity if it never did."""
    moved = _moved(targets)
    return float(targets[1:][moved][-1, 0]) if moved.any() else -np.inf


def _first_rest_s(targets: Array, from_s: float, to_s: float) -> float | None:
    """When the target first stood still, from ``from_s`` to ``to_s``; None if it never did.

    So it does where no other follows: to an arm that rests and is not heard, none is sent.
    """
    times_s, gaps_s = targets[:, 0], np.diff(targets[:, 0], append=to_s)
    stands = np.insert(~_moved(targets), 0, False) if len(targets) else np.zeros(0, dtype=bool)
    still = times_s[(stands | (gaps_s > SILENT_S)) & (times_s >= from_s)]
    return float(still[0]) if len(still) else None


def _arm_rest_s(arm: Array) -> float:
    """When the arm last moved; minus infinity if it never did."""
    moving = _smooth_speeds(arm) > REST_M_S
    return float(arm[1:][moving][-1, 0]) if moving.any() else -np.inf


def _overshoot_m(targets: Array, arm: Array, rest_s: float) -> float:
    """How far the arm, from the target's rest on, was past the last target, along the way by which that came there."""
    settling = arm[arm[:, 0] >= rest_s]  # before, the arm may have come from the other side
    if len(targets) < 2 or len(settling) == 0 or not np.isfinite(rest_s):
        return 0.0
    end = targets[-1, 1:4]
    start = targets[np.searchsorted(targets[:, 0], rest_s - APPROACH_S).clip(0, len(targets) - 1), 1:4]
    way = end - start
    length = float(np.linalg.norm(way))
    if length < SAME_M:
        return 0.0
    return max(0.0, float(((settling[:, 1:4] - end) @ (way / length)).max()))
