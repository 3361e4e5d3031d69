"""Every file of config/arms agrees with the drivers' documentation, and none loosens a limit."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from wm_bringup import presets
from wm_controller.arms.pose_stream import PoseStreamConfig
from wm_controller.node_config import ControllerNodeConfig as Preset
from wm_core import parameters
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_core.measured import MeasuredConfig, driven
from wm_core.pose import FLANGE_FROM_HAND_TCP_M_RAD

FILES = sorted((Path(__file__).parents[3] / "config" / "arms").glob("*.yaml"))
REAL = [file for file in FILES if file.stem != "sim"]
TARGET = np.array([0.5, 0.1, 0.2, math.pi, 0.0, 0.3])


def load(name: str | Path) -> Preset:
    path = name if isinstance(name, Path) else FILES[0].with_name(f"{name}.yaml")
    return parameters.build(Preset, {"config": str(path)}, "controller")


def test_the_presets_that_a_lab_asks_for_are_there() -> None:
    assert {"fr3_crisp", "fr3_servo", "panda_crisp", "droid", "sim"} <= {file.stem for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_preset_is_understood_and_the_gripper_goes_there_and_back(file: Path) -> None:
    preset = load(file)
    assert preset.base_frame == "base"
    scale = preset.measured.gripper
    for closed in (0.0, 0.3, 1.0):
        reading = (scale.open + closed * (scale.closed - scale.open)) / len(scale.joints)
        assert scale.closedness(scale.joints, [reading] * len(scale.joints)) == pytest.approx(closed)
    assert preset.arm.gripper.scaled(0.0) == preset.arm.gripper.open != preset.arm.gripper.closed


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_a_real_arm_starts_with_the_limits_of_a_first_day_or_tighter(file: Path) -> None:
    preset, lab = load(file), Limits()
    for name in ("speed_m_s", "rot_speed_rad_s", "accel_m_s2", "rot_accel_rad_s2", "step_m", "step_rad", "tilt_rad"):
        assert getattr(preset.limits, name) <= getattr(lab, name)
    assert preset.limits.leash_m <= 0.05 and preset.limits.box_min_m[2] >= 0.02
    assert preset.force_hold_n == 15.0 and preset.force_stop_n == 30.0
    assert {"wrench", "joints"} <= set(preset.require), "no motion before they are heard"
    assert 50.0 <= preset.rate_hz <= 100.0, "CRISP and MoveIt Servo"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_preset_that_loosens_a_limit_is_refused(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"base: arms/{file.stem}\nlimits: {{speed_m_s: 0.3}}\n")
    with pytest.raises(ConfigError, match=r"own\.yaml\).*can only tighten"):
        load(own)


def test_what_is_no_arm_by_itself_is_not_listed_as_one() -> None:
    bases = {file.stem for file in (FILES[0].parent / "base").glob("*.yaml")}
    assert bases and not bases & set(presets.arms())


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_a_real_arm_reports_through_frankas_broadcaster(file: Path) -> None:
    measured = load(file).measured
    assert measured.pose_topic == "franka_robot_state_broadcaster/current_pose"
    assert measured.wrench_topic == "franka_robot_state_broadcaster/external_wrench_in_base_frame"
    assert measured.joints_topic == "franka_robot_state_broadcaster/measured_joint_states"
    assert load(file).robot == ("fer" if file.stem in ("panda_crisp", "droid") else "fr3")


def test_sim_spells_out_the_defaults() -> None:
    assert load("sim").arm == PoseStreamConfig() and load("sim").measured == MeasuredConfig()


def test_crisp_and_its_hand_adapter_run_from_0_closed_to_1_open() -> None:
    preset = load("fr3_crisp")
    assert (preset.arm.pose_topic, preset.arm.gripper.kind) == ("target_pose", "position")
    assert (preset.arm.gripper.scaled(0.0), preset.arm.gripper.scaled(1.0)) == (1.0, 0.0)
    assert preset.measured.gripper.closedness(["gripper_joint"], [1.0]) == 0.0
    assert preset.measured.gripper.closedness(["gripper_joint"], [0.0]) == 1.0


@pytest.mark.parametrize("name", ["panda_crisp", "fr3_servo", "fr3_servo_twist", "fr3_impedance"])
def test_the_franka_hand_is_a_width_and_two_fingers(name: str) -> None:
    preset = load(name)
    robot = name.split("_")[0]
    assert (preset.arm.gripper.open, preset.arm.gripper.closed) == (0.08, 0.0)
    fingers = [f"{robot}_finger_joint1", f"{robot}_finger_joint2"]
    assert preset.measured.gripper.closedness(fingers, [0.04, 0.04]) == 0.0
    assert preset.measured.gripper.closedness(fingers, [0.01, 0.01]) == pytest.approx(0.75)


def test_droids_robotiq_runs_the_other_way_and_its_flange_is_reported() -> None:
    preset = load("droid")
    assert (preset.arm.gripper.kind, preset.arm.gripper.scaled(1.0)) == ("robotiq", 0.8)
    assert preset.measured.gripper.closedness(["robotiq_85_left_knuckle_joint"], [0.8]) == 1.0
    flange = driven(TARGET, preset.arm.tcp_m_rad)
    assert flange[2] == pytest.approx(TARGET[2] + 0.1488), "above a tool that points down"
    np.testing.assert_allclose(preset.measured.tcp(flange), TARGET, atol=1e-9)
    np.testing.assert_allclose(preset.arm.tcp(flange), TARGET, atol=1e-9)


@pytest.mark.parametrize("name", ["fr3_servo", "fr3_servo_twist"])
def test_servo_drives_the_flange_while_the_tcp_is_reported(name: str) -> None:
    preset = load(name)
    np.testing.assert_allclose(preset.arm.tcp_m_rad, FLANGE_FROM_HAND_TCP_M_RAD, atol=1e-12)
    assert preset.measured.tcp(TARGET) is TARGET


def test_what_is_judged_is_the_tcp_whatever_is_sent() -> None:
    servo, twist = load("fr3_servo").arm, load("fr3_servo_twist").arm
    np.testing.assert_allclose(servo.tcp(driven(TARGET, servo.tcp_m_rad)), TARGET, atol=1e-9)
    assert twist.tcp(TARGET) is TARGET, "a twist stream shows the TCP itself"
