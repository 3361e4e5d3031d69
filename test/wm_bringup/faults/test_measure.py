"""The figures of a faulted run, on streams whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wm_bringup.faults.measure import SILENT, Measures, measure, violations
from wm_bringup.recorder import Record, Rows
from wm_core.limits import Limits
from wm_core.reports import ControllerState, Mode

IDLE, RUNNING, HOLDING, STOPPED, FAULT = Mode
LIMITS = Limits(speed_m_s=0.25, accel_m_s2=2.0)
DOWN = (math.pi, 0.0, 0.0)
SPEED_M_S, PERIOD_S, FAULT_S, END_S = 0.1, 0.02, 1.0, 4.0


def said(stamp_s: float, mode: Mode, reason: str) -> ControllerState:
    return ControllerState(mode, reason, stamp_s)


def place(time_s: float, brakes_at_s: float, decel_m_s2: float = 2.0) -> float:
    """How far a target at SPEED_M_S has come that brakes at a time."""
    if time_s <= brakes_at_s:
        return SPEED_M_S * time_s
    brake_s = min(time_s - brakes_at_s, SPEED_M_S / decel_m_s2)
    return SPEED_M_S * (brakes_at_s + brake_s) - decel_m_s2 * brake_s**2 / 2


def record(
    brakes_at_s: float,
    reports: list[ControllerState],
    *,
    past_m: float = 0.0,
    until_s: float = END_S,
    lag_s: float = 0.08,
) -> Record:
    """A target along x, and an arm that follows it late and runs ``past_m`` past its end."""
    out = Record()
    for time_s in np.arange(0.0, until_s, PERIOD_S).tolist():
        out.targets.add(time_s, 0.35 + place(time_s, brakes_at_s), 0.0, 0.3, *DOWN)
        out.sent.add(time_s)
    for time_s in np.arange(0.0, END_S, PERIOD_S).tolist():
        late_s = time_s - lag_s
        past = past_m if late_s > brakes_at_s + 0.1 else 0.0
        out.arm.add(time_s, 0.35 + place(max(0.0, late_s), brakes_at_s) + past, 0.0, 0.3, *DOWN)
    out.states = [said(0.0, IDLE, "waiting for start"), said(0.1, RUNNING, ""), *reports]
    return out


def measured(made: Record, healed_s: float = 3.0) -> Measures:
    return measure(made, FAULT_S, healed_s, LIMITS)


def judged(
    targets: np.ndarray, modes: list[ControllerState], limits: Limits, since_s: float, arm: np.ndarray | None = None
) -> dict[str, int]:
    made = Record(states=modes)
    for row in targets.tolist():
        made.targets.add(*row)
    for row in () if arm is None else arm.tolist():
        made.arm.add(*row)
    return violations(made, limits, since_s)


def test_a_hold_is_timed_from_the_fault() -> None:
    m = measured(record(1.4, [said(1.4, HOLDING, "plan watchdog")]))
    assert m.outcome == HOLDING and m.reason == "plan watchdog" and m.after == HOLDING
    assert m.hold_s == pytest.approx(0.4)
    assert m.first_rest_s == pytest.approx(0.46, abs=PERIOD_S)
    assert m.rest_s == pytest.approx(0.45, abs=PERIOD_S)  # 0.1 m/s at 2 m/s2 takes 0.05 s
    assert m.arm_rest_s == pytest.approx(0.53, abs=0.08)
    assert m.travel_m == pytest.approx(0.0425, abs=1e-3)
    assert m.arm_travel_m == pytest.approx(0.0505, abs=2e-3)
    assert m.peak_m_s == pytest.approx(0.1, abs=1e-3) and m.arm_peak_m_s == pytest.approx(0.1, abs=5e-3)
    assert m.overshoot_m == pytest.approx(0.0, abs=1e-6)
    assert not {"box", "jump", "speed", "accel"} & set(m.violations)  # such a ramp begins with a jerk
    assert m.gap_s == pytest.approx(PERIOD_S)


def test_motion_after_the_rest_counts_to_the_end_of_the_record() -> None:
    still = measured(record(1.4, [said(1.4, HOLDING, "x")]))
    assert still.moved_after_m == pytest.approx(0.0, abs=1e-6) and still.rate_hz == pytest.approx(50.0, rel=0.02)
    again = record(1.4, [said(1.4, HOLDING, "x")])
    again.targets.add(END_S, 0.6, 0.0, 0.3, *DOWN)
    assert measured(again).moved_after_m > 0.01, "it came to rest, and went on after the fault was healed"


def test_a_hold_from_before_the_fault_counts_from_the_fault() -> None:
    m = measured(record(0.8, [said(0.8, STOPPED, "a rival")]))
    assert m.outcome == STOPPED and m.hold_s == 0.0 and m.reason == "a rival"


def test_where_stamps_are_false_the_envelope_is_not_judged() -> None:
    made = record(1.4, [said(1.4, HOLDING, "x")])
    made.targets.add(END_S, 0.9, 0.0, 0.3, *DOWN)
    assert measured(made).violations and measure(made, FAULT_S, 3.0, None).violations == {}


def test_what_the_arm_runs_past_the_last_target_is_overshoot() -> None:
    assert measured(record(1.4, [said(1.4, HOLDING, "x")], past_m=0.007)).overshoot_m == pytest.approx(0.007, abs=1e-6)


def test_an_arm_that_stays_short_of_the_target_does_not_overshoot() -> None:
    assert measured(record(1.4, [said(1.4, HOLDING, "x")], past_m=-0.007)).overshoot_m == 0.0


def test_an_arm_that_came_back_from_where_it_was_before_does_not_overshoot() -> None:
    made = record(1.4, [said(1.4, HOLDING, "x")])
    made.arm = Rows(7)
    for time_s in np.arange(0.0, END_S, PERIOD_S).tolist():
        beyond_m = 0.05 if time_s < 1.2 else 0.0
        made.arm.add(time_s, 0.35 + place(END_S, 1.4) + beyond_m, 0.0, 0.3, *DOWN)
    assert measured(made).overshoot_m == pytest.approx(0.0, abs=1e-6)


def test_a_run_that_goes_on_is_still_running() -> None:
    m = measured(record(9.0, []))
    assert m.outcome == RUNNING and m.hold_s is None
    assert m.rest_s == pytest.approx(2.0, abs=PERIOD_S)  # to the end of the fault, not of the record


def test_a_hold_after_the_fault_was_healed_is_none_of_its_doing() -> None:
    m = measured(record(3.4, [said(3.4, HOLDING, "late")]))
    assert m.outcome == RUNNING and m.hold_s is None and m.after == HOLDING


def test_a_hold_that_comes_and_goes_counts_from_its_first_report() -> None:
    m = measured(record(9.0, [said(1.2, HOLDING, "first"), said(1.5, RUNNING, ""), said(1.8, HOLDING, "again")]))
    assert m.hold_s == pytest.approx(0.2) and m.reason == "first" and m.outcome == HOLDING
    assert m.rest_s > 1.9, "the target goes on all the same, and that is seen"


def test_a_stream_that_ends_is_silent_whatever_was_said_last() -> None:
    m = measured(record(9.0, [], until_s=1.01))
    assert m.outcome == SILENT and m.hold_s is None and m.rest_s < 0.02
    assert measured(record(9.0, [], until_s=0.9)).outcome == SILENT


def test_a_stream_that_ends_at_rest_in_a_hold_rests() -> None:
    m = measured(record(1.2, [said(1.2, HOLDING, "no arm state")], until_s=1.27))
    assert m.outcome == HOLDING and m.hold_s == pytest.approx(0.2)
    assert m.first_rest_s == pytest.approx(0.26, abs=PERIOD_S)
    soon = measured(record(1.2, [said(1.24, HOLDING, "no arm state")], until_s=1.25))
    assert soon.first_rest_s == pytest.approx(0.24, abs=PERIOD_S), "the last one, however it moved"


def test_another_controller_at_its_start_does_not_speak_for_this_one() -> None:
    m = measured(record(1.2, [said(1.2, STOPPED, "a rival"), said(1.3, IDLE, "waiting for start")]))
    assert m.outcome == STOPPED and m.reason == "a rival"


def test_a_jump_is_seen_as_speed_and_as_a_violation() -> None:
    made = record(1.4, [said(1.4, HOLDING, "x")])
    table = made.targets.table
    table[100:, 1] += 0.01
    made.targets = type(made.targets)(7)
    for row in table.tolist():
        made.targets.add(*row)
    m = measured(made)
    assert m.peak_m_s == pytest.approx(0.5, abs=1e-3)
    assert m.violations["speed"] == 1 and m.violations["accel"] == 2


def test_the_seam_of_an_angle_is_no_motion() -> None:
    made = record(1.4, [said(1.4, HOLDING, "x")])
    table = made.targets.table
    table[100:, 4] = np.where(np.arange(len(table) - 100) % 2, math.pi, -math.pi)
    made.targets = type(made.targets)(7)
    for row in table.tolist():
        made.targets.add(*row)
    assert measured(made).rest_s == pytest.approx(0.45, abs=PERIOD_S)


def test_violations_count_from_the_fault_on() -> None:
    targets = np.zeros((100, 7))
    targets[:, 0] = PERIOD_S * np.arange(100)
    targets[:, 1:] = (0.4, 0.0, 0.3, *DOWN)
    targets[20:, 1] += 0.05
    assert judged(targets, [], LIMITS, 1.0) == {}
    counts = judged(targets, [], LIMITS, 0.0)
    assert counts["speed"] == 1 and counts["accel"] == 2


def test_a_stop_may_freeze_the_target_but_not_move_it() -> None:
    targets = np.zeros((50, 7))
    targets[:, 0] = PERIOD_S * np.arange(50)
    targets[:, 1:] = (0.4, 0.0, 0.3, *DOWN)
    targets[:20, 1] += 0.004 * np.arange(20) - 0.08  # 0.2 m/s
    targets[20:, 1] = targets[19, 1]
    stop = [said(targets[20, 0], STOPPED, "x")]
    assert "accel" not in judged(targets, stop, LIMITS, 0.3)
    assert "accel" in judged(targets, [], LIMITS, 0.3)
    targets[30:, 1] += 0.001
    assert judged(targets, stop, LIMITS, 0.3) == {"stop": 1}


def test_a_fault_brakes_as_a_hold_does() -> None:
    made = record(1.4, [said(1.38, FAULT, "jumped")])
    assert "stop" not in judged(made.targets.table, made.states, LIMITS, 0.3)


def test_a_target_that_a_stop_sends_once_more_before_its_report_is_frozen_already() -> None:
    targets = np.zeros((50, 7))
    targets[:, 0] = PERIOD_S * np.arange(50)
    targets[:, 1:] = (0.4, 0.0, 0.3, *DOWN)
    targets[:20, 1] += 0.004 * np.arange(20) - 0.08
    targets[20:, 1] = targets[19, 1]
    targets[20, 0] -= 0.015  # in between two ticks
    assert judged(targets, [said(targets[21, 0], STOPPED, "x")], LIMITS, 0.3) == {}
    assert judged(targets, [said(targets[30, 0], HOLDING, "x")], LIMITS, 0.3) != {}


@pytest.mark.parametrize(("pause_s", "arm_m", "broken"), [(0.2, 0.45, True), (0.5, 0.45, False), (0.5, 0.40, True)])
def test_after_a_pause_targets_begin_where_the_arm_is(pause_s: float, arm_m: float, broken: bool) -> None:
    times_s = PERIOD_S * np.arange(50)
    times_s[25:] += pause_s
    targets, arm = np.zeros((50, 7)), np.zeros((200, 7))
    targets[:, 0], arm[:, 0] = times_s, PERIOD_S * np.arange(200)
    targets[:, 1:], arm[:, 1:] = (0.4, 0.0, 0.3, *DOWN), (arm_m, 0.0, 0.3, *DOWN)
    targets[25:, 1] = 0.45
    assert bool(judged(targets, [], LIMITS, 0.0, arm)) == broken


def test_no_stream_at_all_is_no_crash() -> None:
    m = measure(Record(), FAULT_S, 3.0, LIMITS)
    assert m.outcome == SILENT and m.travel_m == 0.0 and m.rest_s == 0.0 and m.after == IDLE
