"""The failures of the stand-in on a clock of the test's own: no ROS, no physics."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from wm_core.config import from_dict
from wm_core.errors import ConfigError
from wm_sim.failures import KINDS, RECOVERY, Failure, Failures, Fingers, Robot, Wire


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_default_within_its_bounds_and_can_be_begun(kind: str, failures: Failures) -> None:
    assert KINDS[kind].least <= Failure(kind).strength <= KINDS[kind].most
    failures.begin(Failure(kind), 0.0)
    failures.update(0.01)
    assert failures.on == ([] if kind == "reflex" else [kind])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "reflx"}, "the failure 'reflx' is not one of none, reflex"),
        ({"kind": 1000 * "x"}, "xxx...' is not one of"),
        ({"kind": "reflex", "value": 1.0}, "the failure 'reflex' takes no value"),
        ({"kind": "none", "value": 1.0}, "the failure 'none' takes no value"),
        ({"kind": "reflex", "for_s": 1.0}, "a reflex lasts until a person recovers the robot: leave out for_s"),
        ({"kind": "lag", "value": 1.5}, "the value 1.5 of 'lag' is outside 0..1: it means the time constant"),
        ({"kind": "lag", "value": math.nan}, "the value nan of 'lag'"),
        ({"kind": "blocked", "for_s": -1.0}, "for_s = -1.0 of 'blocked' is not a time"),
        ({"kind": "blocked", "after_s": math.inf}, "after_s = inf of 'blocked' is not a time"),
        ({"kind": "blocked", "for": 1.0}, "unknown key 'for'; did you mean 'for_s'"),
        ({"kind": "blocked", "for_s": "1"}, "for_s must be of type float"),
        ({"kind": ["blocked"]}, "kind must be of type str"),
    ],
)
def test_a_failure_that_makes_no_sense_is_one_sentence(values: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        from_dict(Failure, values, "the failure")


def test_it_begins_and_ends_in_time(failures: Failures) -> None:
    failures.begin(Failure("lag", 0.3, after_s=1.0, for_s=2.0), 10.0)
    for now_s, expected in ((10.0, None), (10.9, None), (11.0, 0.3), (12.9, 0.3), (13.0, None), (14.0, None)):
        failures.update(now_s)
        assert failures.value("lag") == expected, now_s


def test_a_new_one_takes_the_place_of_the_old_and_none_ends_all(failures: Failures) -> None:
    failures.begin(Failure("lag", 0.3), 0.0)
    failures.begin(Failure("lag", 0.0), 1.0)
    failures.begin(Failure("friction"), 1.0)
    assert failures.value("lag") == 0.0, "nought is a value"
    assert failures.on == ["lag", "friction"]
    failures.begin(Failure(), 2.0)
    assert failures.on == [] and failures.value("lag") is None


def test_a_time_of_nought_is_over_at_once(failures: Failures) -> None:
    failures.begin(Failure("blocked", for_s=0.0), 0.0)
    failures.update(0.0)
    assert not failures.stands


def test_a_reflex_needs_three_steps_of_a_person_in_order(failures: Failures) -> None:
    assert failures.robot.mode == "MOVE" and failures.success_rate == 1.0
    failures.begin(Failure("reflex"), 0.0)
    assert failures.robot.mode == "REFLEX" and failures.robot.errors and failures.stands
    assert failures.success_rate == 0.0
    failures.begin(Failure(), 1.0)
    failures.update(3600.0)
    assert failures.robot.mode == "REFLEX", "neither time nor the end of the cause recovers it"
    assert failures.robot.recover("activate_hardware") == "error_recovery comes first"
    assert failures.robot.recover("switch_controllers") == "error_recovery comes first"
    for step in RECOVERY:
        assert failures.stands
        assert failures.robot.recover(step) == ""
        assert failures.robot.errors == ()
    assert failures.robot.mode == "MOVE" and not failures.stands
    assert failures.robot.recover("error_recovery") == "there is nothing to recover here"
    failures.begin(Failure("reflex"), 4000.0)
    assert failures.stands, "it can happen again"


def test_another_reflex_in_the_middle_of_the_recovery_begins_it_again(failures: Failures) -> None:
    failures.begin(Failure("reflex"), 0.0)
    assert not failures.robot.recover("error_recovery") and not failures.robot.recover("activate_hardware")
    failures.begin(Failure("reflex"), 1.0)
    assert failures.robot.recover("switch_controllers") == "error_recovery comes first"
    assert failures.robot.mode == "REFLEX"


def test_a_user_stop_is_released_and_then_recovered(failures: Failures) -> None:
    failures.begin(Failure("user_stopped", for_s=2.0), 0.0)
    failures.update(1.0)
    assert failures.robot.mode == "USER_STOPPED" and not failures.robot.errors and failures.stands
    assert "release it first" in failures.robot.recover("error_recovery")
    failures.update(2.0)
    assert failures.robot.mode == "IDLE" and failures.stands, "a released stop must not start the arm by itself"
    assert [failures.robot.recover(step) for step in RECOVERY] == ["", "", ""]
    assert failures.robot.mode == "MOVE" and not failures.stands


def test_a_reflex_under_a_user_stop_is_there_when_it_is_released() -> None:
    robot = Robot()
    robot.press(True)
    robot.reflex()
    assert robot.mode == "USER_STOPPED"
    robot.press(False)
    assert robot.mode == "REFLEX"


@pytest.mark.parametrize("kind", ["controller_inactive", "controller_gone", "blocked"])
def test_the_arm_stands_as_long_as_it_is_not_moved(kind: str, failures: Failures) -> None:
    failures.begin(Failure(kind, for_s=1.0), 0.0)
    assert failures.stands and failures.controlled == (kind == "blocked")
    assert failures.mode == ("MOVE" if kind == "blocked" else "IDLE"), "of a block the robot knows nothing"
    failures.update(1.0)
    assert not failures.stands and failures.controlled


def test_commands_that_are_lost_are_reported(failures: Failures) -> None:
    failures.begin(Failure("commands_lost", 0.0), 0.0)
    assert failures.success_rate == 0.0
    failures.begin(Failure("commands_lost"), 0.0)
    assert failures.success_rate == 0.5


def closed(fingers: Fingers, seconds: float, measured: float = 0.0) -> float:
    """Where well-behaved fingers are after so long."""
    for _ in range(round(seconds / 0.01)):
        measured = fingers.drive(0.01, measured)
    return measured


def test_fingers_do_as_they_are_told(failures: Failures) -> None:
    fingers = Fingers(failures)
    assert closed(fingers, 0.1) == 0.0
    fingers.command(1.0, 0.0)
    assert closed(fingers, 0.1) == 1.0
    fingers.command(0.0, 1.0)
    assert closed(fingers, 0.1, 1.0) == 0.0


def test_slow_fingers_take_the_time_given_also_back(failures: Failures) -> None:
    failures.begin(Failure("gripper_slow", 4.0), 0.0)
    fingers = Fingers(failures)
    fingers.command(1.0, 0.0)
    assert closed(fingers, 1.0) == pytest.approx(0.25)
    fingers.command(0.0, 0.25)
    assert closed(fingers, 0.5, 0.25) == pytest.approx(0.125)
    assert closed(fingers, 5.0, 0.125) == pytest.approx(0.0)


def test_an_aborted_motion_ends_on_the_way_and_is_not_tried_again(failures: Failures) -> None:
    failures.begin(Failure("gripper_aborted", 0.5), 0.0)
    fingers = Fingers(failures)
    for _ in range(5):  # the sender repeats itself
        fingers.command(1.0, 0.0)
        assert closed(fingers, 1.0) == 0.5
    failures.begin(Failure(), 1.0)
    fingers.command(1.0, 0.5)
    assert closed(fingers, 1.0, 0.5) == 0.5, "the goal is over"
    fingers.command(0.0, 0.5)
    fingers.command(1.0, 0.0)
    assert closed(fingers, 1.0) == 1.0


def test_a_lost_command_is_lost_and_a_repeated_one_arrives_later(failures: Failures) -> None:
    failures.begin(Failure("gripper_lost"), 0.0)
    fingers = Fingers(failures)
    fingers.command(1.0, 0.0)
    failures.begin(Failure(), 1.0)
    assert closed(fingers, 1.0) == 0.0
    fingers.command(1.0, 0.0)
    assert closed(fingers, 1.0) == 1.0


def test_stuck_fingers_stand_where_they_are_and_go_on_when_freed(failures: Failures) -> None:
    fingers = Fingers(failures)
    failures.begin(Failure("gripper_stuck"), 0.0)
    fingers.command(1.0, 0.3)
    assert closed(fingers, 1.0, 0.3) == 0.3
    failures.begin(Failure(), 1.0)
    assert closed(fingers, 0.1, 0.3) == 1.0


def test_a_wire_passes_everything_on_in_order(failures: Failures) -> None:
    got: list[int] = []
    wire = Wire(failures, got.append)
    for number in range(100):
        wire.put(number, 0.01 * number)
    assert got == list(range(100))


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_share_of_the_messages_arrives_and_the_same_ones_each_time(share: float, failures: Failures) -> None:
    failures.begin(Failure("state_drops", share), 0.0)
    runs: list[list[int]] = []
    for _ in range(2):
        got: list[int] = []
        wire = Wire(failures, got.append, seed=3)
        for number in range(2000):
            wire.put(number, 0.01 * number)
        runs.append(got)
    assert runs[0] == runs[1] == sorted(runs[0])
    assert len(runs[0]) == pytest.approx(share * 2000, abs=0.0 if share in (0.0, 1.0) else 60.0)


def test_a_stuttering_wire_is_silent_and_then_late_with_all(failures: Failures) -> None:
    failures.begin(Failure("state_stutters", 0.3), 0.0)
    got: list[tuple[int, float]] = []
    now_s = 0.0
    wire = Wire(failures, lambda number: got.append((number, now_s)))
    for number in range(100):
        now_s = 0.01 * number
        wire.put(number, now_s)
    assert [number for number, _ in got] == list(range(len(got))) and len(got) > 60
    times = sorted({at_s for _, at_s in got})
    assert all(b - a == pytest.approx(0.3, abs=0.011) for a, b in itertools.pairwise(times))
    failures.begin(Failure(), 1.0)
    wire.put(100, 1.0)
    assert [number for number, _ in got] == list(range(101)), "what was held back comes when it is mended"
