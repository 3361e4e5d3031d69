"""Stamps of a clock that can be set, read on one that cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller.inputs import CLOCK_JUMP_S, FUTURE_S, StampClock

EPOCH_S = 1.7e9


def run(clock: StampClock, ros_s: float, steady_s: float, seconds: float, pace: float = 1.0) -> tuple[float, float]:
    for _ in range(round(seconds / 0.02)):
        ros_s, steady_s = ros_s + 0.02 * pace, steady_s + 0.02
        assert clock.observe(ros_s, steady_s) == ""
    return ros_s, steady_s


@pytest.mark.parametrize("simulated", [False, True])
def test_a_stamp_is_as_old_on_either_clock(simulated: bool) -> None:
    clock = StampClock(simulated)
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 2.0)
    assert clock.to_steady(ros_s - 0.3) == pytest.approx(steady_s - 0.3, abs=1e-5)
    assert clock.to_ros(clock.to_steady(ros_s)) == pytest.approx(ros_s, abs=1e-5)


@pytest.mark.parametrize(("by_s", "says"), [(-10.0, "back by 10.00 s"), (10.0, "forward by 10.00 s"), (0.15, "0.15 s")])
def test_a_clock_that_is_set_is_told_once_and_then_believed(by_s: float, says: str) -> None:
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 2.0)
    ros_s, steady_s = ros_s + 0.02 + by_s, steady_s + 0.02
    fault = clock.observe(ros_s, steady_s)
    assert says in fault and "look for what sets it" in fault
    assert clock.to_steady(ros_s) == pytest.approx(steady_s, abs=1e-5)
    run(clock, ros_s, steady_s, 3.0)


def test_a_machine_that_was_suspended_has_a_clock_that_was_set() -> None:
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 1.0)
    assert "forward by 3600.00 s" in clock.observe(ros_s + 3600.02, steady_s + 0.02)


def test_a_process_that_was_suspended_has_a_right_clock() -> None:
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 1.0)
    assert clock.observe(ros_s + 60.0, steady_s + 60.0) == ""


def test_a_clock_that_is_set_in_many_small_steps_is_told() -> None:
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 1.5)
    told = []
    for _ in range(10):
        ros_s, steady_s = ros_s + 0.02 - 0.05, steady_s + 0.02
        told.append(clock.observe(ros_s, steady_s))
    assert any("back by" in fault for fault in told[:4])


@pytest.mark.parametrize("rate", [-0.08, -0.0005, 0.0005, 0.08])
def test_a_clock_that_a_daemon_slews_is_followed(rate: float) -> None:
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 20.0, pace=1.0 + rate)
    assert clock.to_steady(ros_s) == pytest.approx(steady_s, abs=0.01)


@pytest.mark.parametrize("late_s", [0.0015, 0.003, 0.0099, 0.09])
def test_one_late_reading_of_the_clock_moves_no_stamp(late_s: float) -> None:
    """The stamps of a stream of commands tell its speed; by uneven ones an even stream would jolt."""
    clock = StampClock()
    ros_s, steady_s = run(clock, EPOCH_S, 50.0, 2.0)
    for k in range(200):
        ros_s, steady_s = ros_s + 0.021, steady_s + 0.021
        assert clock.observe(ros_s + late_s * (k % 7 == 0), steady_s) == ""
        assert clock.to_ros(steady_s) - ros_s == pytest.approx(0.0, abs=1e-4)


def test_simulated_time_that_never_begins_and_then_does() -> None:
    clock = StampClock(simulated=True)
    assert "nothing is heard on /clock yet; start the simulator" in clock.observe(0.0, 50.0)
    assert "/clock" in clock.observe(0.0, 60.0)
    run(clock, 100.0, 61.0, 1.0)


def test_simulated_time_that_stands_still_is_told_for_as_long_as_it_does() -> None:
    clock = StampClock(simulated=True)
    ros_s, steady_s = run(clock, 100.0, 50.0, 1.0)
    assert clock.observe(ros_s, steady_s + 0.05) == ""
    assert "has stood still for 0.1 s" in clock.observe(ros_s, steady_s + 0.07)
    assert "has stood still for 9.0 s; let the simulator run on" in clock.observe(ros_s, steady_s + 9.0)
    assert clock.observe(ros_s + 0.01, steady_s + 9.01) == ""


def test_simulated_time_may_go_at_another_pace_but_not_back() -> None:
    for pace in (0.7, 1.3):
        clock = StampClock(simulated=True)
        ros_s, steady_s = run(clock, 100.0, 50.0, 2.0, pace)
        assert clock.to_steady(ros_s) == pytest.approx(steady_s, abs=FUTURE_S)
    assert "back by 0.01 s; look for a second simulator" in clock.observe(ros_s - 0.01, steady_s + 0.02)
    assert "forward by" in clock.observe(ros_s + 5.0, steady_s + 0.04)


@pytest.mark.parametrize("bad", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_a_clock_that_is_no_number_is_a_fault(bad: tuple[float, float]) -> None:
    clock = StampClock()
    run(clock, EPOCH_S, 50.0, 1.0)
    assert "not finite" in clock.observe(*bad)


@given(st.lists(st.tuples(st.floats(0.0005, 0.05), st.floats(0.0, 0.01)), min_size=5, max_size=60))
def test_an_interrupted_process_changes_no_order_of_stamps(ticks: list[tuple[float, float]]) -> None:
    """The two clocks are read up to 10 ms apart; what was stamped later is later by as much, to a few milliseconds."""
    clock, steady_s, read = StampClock(), 50.0, []
    clock.observe(EPOCH_S + steady_s, steady_s)
    for passed_s, apart_s in ticks:
        steady_s += passed_s
        assert clock.observe(EPOCH_S + steady_s + apart_s, steady_s) == ""
        read.append((steady_s, clock.to_steady(EPOCH_S + steady_s)))
    true_s, told_s = np.array(read).T
    assert np.all(np.diff(told_s) >= 0.0)
    assert np.all(np.abs(told_s - true_s) <= 0.0101)


@given(st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(-20.0, 20.0)), min_size=1, max_size=30), st.booleans())
def test_whatever_the_clock_does_now_is_now(steps: list[tuple[float, float]], simulated: bool) -> None:
    """After each reading a stamp of now is one of now, or there was a fault."""
    clock, ros_s, steady_s = StampClock(simulated), EPOCH_S, 50.0
    clock.observe(ros_s, steady_s)
    for passed_s, jump_s in steps:
        steady_s, ros_s = steady_s + passed_s, ros_s + passed_s + (jump_s if abs(jump_s) > 10.0 else jump_s / 100)
        if not clock.observe(ros_s, steady_s):
            assert abs(clock.to_steady(ros_s) - steady_s) <= CLOCK_JUMP_S + passed_s + 0.001
