"""Joints, robot, contact and heartbeats: what is wrong, what is missing, what has fallen silent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from wm_controller.interface import ControllerConfig
from wm_controller.watch import Watch
from wm_core.errors import ConfigError
from wm_core.robot_health import RobotHealth

HOME_RAD = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])


def watch(**config: Any) -> Watch:
    return Watch(ControllerConfig(**config))


def joints(**change: float) -> np.ndarray:
    out = HOME_RAD.copy()
    for name, value in change.items():
        out[int(name[1]) - 1] = value
    return out


def test_nothing_is_watched_that_was_never_heard() -> None:
    assert watch(robot="fr3").hold(100.0) == ""


@pytest.mark.parametrize(
    ("name", "robot", "says"),
    [
        ("wrench", None, "no wrench yet; start what reports it"),
        ("joints", "fr3", "no joint state yet; start what reports it"),
        ("robot", None, "no robot state yet; start what reports it"),
        ("planner", None, "nothing was heard of the planner yet; start it"),
        ("encoder", None, "nothing was heard of the encoder yet; start it"),
    ],
)
def test_what_is_required_must_be_there(name: str, robot: str | None, says: str) -> None:
    assert watch(require=(name,), robot=robot).hold(0.0) == says


def test_in_a_calibration_who_gives_plans_is_calibrate() -> None:
    w = watch(require=("planner",), role="calibrate", heartbeat_s=2.0)
    w.on_heartbeat("planner", 0.0)
    assert w.hold(0.0) == "nothing was heard of the calibrate yet; start it", "a planner gives no plans here"
    w.on_heartbeat("calibrate", 0.0)
    assert w.hold(2.0) == ""
    assert w.hold(2.5) == "nothing was heard of the calibrate for 2.5 s; see whether it still runs"


def test_joints_hold_near_an_end_and_near_a_singular_posture() -> None:
    w = watch(robot="fr3")
    assert w.on_joints(1.0, joints(), 1.0) == "" and w.hold(1.1) == ""
    assert w.margin_rad == pytest.approx(0.6121) and w.condition is not None and w.condition < 10.0
    assert "joint 4 is 0.09 rad from its end" in w.on_joints(1.1, joints(q4=-2.95), 1.1)
    assert "joint 4" in w.hold(1.1)
    assert "joint 6 is -0.10 rad" in w.on_joints(1.2, joints(q6=4.62), 1.2)
    assert "singular posture" in w.on_joints(1.3, joints(q4=-0.3), 1.3)
    assert w.on_joints(1.4, joints(), 1.4) == "" and w.hold(1.4) == ""
    assert w.hold(1.7) == "no joint state for 0.30 s; see what reports it"


def test_what_newer_reports_have_overtaken_ends_nothing() -> None:
    w = watch(robot="fr3", force_hold_n=15.0)
    w.on_wrench(2.0, np.array([20.0, 0, 0, 0, 0, 0]), 2.0)
    assert "0 rad from its end" in w.on_joints(2.0, joints(j4=-3.0421), 2.0)
    w.on_wrench(1.9, np.zeros(6), 2.0)
    assert "contact force 20 N" in w.contact("hold")
    assert "0 rad from its end" in w.on_joints(1.85, joints(), 2.0)
    w.on_wrench(2.02, np.zeros(6), 2.02)
    assert w.on_joints(2.02, joints(), 2.02) == "" and w.hold(2.02) == ""


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", range(6))
def test_a_number_that_is_not_finite_hides_no_contact_in_the_others(where: int, bad: float) -> None:
    for limits, part, sentence in (
        ({"force_hold_n": 15.0, "force_stop_n": 30.0}, slice(0, 3), "contact force"),
        ({"torque_hold_nm": 15.0, "torque_stop_nm": 30.0}, slice(3, 6), "contact torque"),
    ):
        w, wrench = watch(**limits), np.zeros(6)
        wrench[part], wrench[where] = 40.0, bad
        assert w.on_wrench(1.0, wrench, 1.0) == "the measured wrench is not finite; see what sends it"
        assert sentence in w.contact("stop") and "not finite" in w.hold(1.0)
        assert w.on_wrench(1.1, [0.0, 0.0, bad, 0.0, 0.0, 0.0], 1.1) and sentence in w.contact("stop"), "it ends none"
        assert w.on_wrench(1.2, np.zeros(6), 1.2) == "" and w.contact("hold") == ""


def test_a_wrench_that_the_caller_refuses_may_show_contact_and_ends_none() -> None:
    w = watch(force_stop_n=30.0)
    assert w.on_wrench(1.0, np.zeros(6), 1.0) == ""
    for newton in (31.0, 0.0):
        assert w.on_wrench(1.1, [newton, 0, 0, 0, 0, 0], 1.1, "another frame") == "another frame"
        assert "31 N" in w.contact("stop") and w.hold(1.1) == "another frame"
    assert w.on_wrench(1.2, np.zeros(6), 1.2) == "" and w.hold(1.2) == ""


def test_the_margin_can_be_wider_and_depends_on_the_robot() -> None:
    near = joints(q4=-2.85)
    assert watch(robot="fr3").on_joints(1.0, near, 1.0) == ""
    assert "joint 4" in watch(robot="fr3", joint_margin_rad=0.2).on_joints(1.0, near, 1.0)
    assert "joint 6" in watch(robot="fer").on_joints(1.0, joints(q6=3.7), 1.0)
    assert "singular" in watch(robot="fr3", max_condition=5.0).on_joints(1.0, joints(), 1.0)
    assert watch().on_joints(1.0, np.zeros(3), 1.0) == "", "without a robot the joints say nothing"


@pytest.mark.parametrize(
    ("stamp_s", "q", "says"),
    [
        (1.0, joints(q2=math.nan), "joint state is not finite"),
        (1.0, np.zeros(6), "shape (6,)"),
        (math.nan, joints(), "not finite"),
        (0.5, joints(), "0.50 s old"),
        (2.0, joints(), "in the future"),
    ],
)
def test_joints_that_are_not_usable_hold(stamp_s: float, q: np.ndarray, says: str) -> None:
    w = watch(robot="fr3")
    assert says in w.on_joints(stamp_s, q, 1.0)
    assert says in w.hold(1.0)


@pytest.mark.parametrize(
    ("mode", "errors", "rate", "fault", "hold"),
    [
        ("MOVE", (), 1.0, "", ""),
        ("IDLE", (), 0.0, "", "in mode IDLE: no controller moves it"),
        ("MOVE", (), 0.89, "", "only 89 % of its control commands"),
        ("MOVE", (), math.nan, "", "control commands"),
        ("OTHER", (), 1.0, "", "in mode OTHER"),
        ("GUIDING", (), 1.0, "", "in mode GUIDING"),
        ("7", (), 1.0, "", "in mode 7"),
        ("REFLEX", (), 1.0, "in mode REFLEX", "in mode REFLEX"),
        ("USER_STOPPED", (), 1.0, "in mode USER_STOPPED", "in mode USER_STOPPED"),
        ("AUTOMATIC_ERROR_RECOVERY", (), 1.0, "RECOVERY", "RECOVERY"),
        ("MOVE", ("joint_reflex", "cartesian_reflex"), 1.0, "joint_reflex, cartesian_reflex", "joint_reflex"),
    ],
)
def test_the_robots_own_word(mode: str, errors: tuple, rate: float, fault: str, hold: str) -> None:
    w = watch()
    said = w.on_robot(RobotHealth(1.0, mode, errors, rate), 1.0)
    assert fault in said and bool(fault) == bool(said)
    assert hold in w.hold(1.0) and bool(hold) == bool(w.hold(1.0))


def test_a_robot_state_is_as_stale_as_any() -> None:
    w = watch()
    assert w.on_robot(RobotHealth(0.0, "MOVE"), 1.0) == ""
    assert "1.00 s old" in w.hold(1.0)
    w.on_robot(RobotHealth(1.0, "MOVE"), 1.0)
    assert w.hold(1.1) == ""
    assert w.hold(1.3) == "no robot state for 0.30 s; see what reports it"
    w.on_robot(RobotHealth(1.3, "MOVE"), 1.3)
    w.on_robot(RobotHealth(1.2, "MOVE"), 1.3)
    assert "older than the one before it" in w.hold(1.3)


@pytest.mark.parametrize("stamp_s", [-1e9, 0.0, 1.0, 50.0, math.nan, math.inf])
def test_an_error_of_the_robot_counts_whatever_its_stamp_says(stamp_s: float) -> None:
    w = watch()
    w.on_robot(RobotHealth(1.0, "MOVE"), 1.0)
    assert "REFLEX" in w.on_robot(RobotHealth(stamp_s, "REFLEX"), 1.0)
    assert "REFLEX" in w.hold(1.0) and w.robot is not None and not w.robot.in_control
    if stamp_s != 1.0:
        w.on_robot(RobotHealth(stamp_s, "MOVE"), 1.0)
        assert "REFLEX" in w.hold(1.0), "what is not of now clears nothing"
    w.on_robot(RobotHealth(1.1, "MOVE"), 1.1)
    assert w.hold(1.1) == "" and w.robot.in_control


def test_heartbeats() -> None:
    w = watch(heartbeat_s=2.0)
    w.on_heartbeat("somebody", 0.0)
    assert w.hold(100.0) == ""
    w.on_heartbeat("encoder", 0.0)
    w.on_heartbeat("planner", 0.0)
    assert w.hold(2.0) == ""
    w.on_heartbeat("planner", 2.0)
    assert w.hold(2.5) == "nothing was heard of the encoder for 2.5 s; see whether it still runs"


def test_after_a_fault_of_the_clock_all_has_to_come_again() -> None:
    w = watch(robot="fr3")
    w.on_joints(1.0, joints(), 1.0)
    w.on_robot(RobotHealth(1.0, "MOVE"), 1.0)
    w.forget_stamps()
    held = w.hold(1.1)
    assert held == "no joint state since the clock was set; see what reports it", "a silent one is not heard by that"
    w.on_joints(1.2, joints(), 1.2)
    assert w.hold(1.2) == "no robot state since the clock was set; see what reports it"
    w.on_robot(RobotHealth(1.2, "MOVE"), 1.2)
    assert w.hold(1.2) == ""
    w.on_joints(1.4, joints(q4=-2.95), 1.4)
    w.forget_stamps()
    assert "joint 4" in w.hold(1.4), "what is wrong stays wrong"


@pytest.mark.parametrize(
    "bad",
    [
        {"robot": "ur5"},
        {"joint_margin_rad": 0.05},
        {"joint_margin_rad": math.nan},
        {"max_condition": 31.0},
        {"heartbeat_s": 3.1},
        {"heartbeat_s": 0.0},
        {"require": ("camera",)},
        {"require": ("joints",)},
        {"require": ("calibrate",)},
        {"role": "encoder"},
    ],
)
def test_configuration_can_only_tighten(bad: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        ControllerConfig(**bad)
