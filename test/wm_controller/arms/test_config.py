from __future__ import annotations

import math

import pytest

from wm_controller.arms import ArmConfig, GripperConfig, TwistConfig
from wm_core.errors import ConfigError


def test_the_defaults_are_the_simulators() -> None:
    assert ArmConfig().pose_topic == "arm/target_pose" and GripperConfig().topic == "arm/gripper_command"
    assert [GripperConfig().scaled(v) for v in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize(("opened", "closed"), [(1.0, 0.0), (0.08, 0.0), (0.0, 0.8)])  # CRISP, Franka, Robotiq
def test_the_ends_of_a_gripper_are_what_its_receiver_takes(opened: float, closed: float) -> None:
    gripper = GripperConfig(open=opened, closed=closed)
    assert gripper.scaled(0.0) == opened and gripper.scaled(1.0) == pytest.approx(closed)
    assert gripper.scaled(0.5) == pytest.approx((opened + closed) / 2)


@pytest.mark.parametrize("ends", [(0.5, 0.5), (math.nan, 1.0), (0.0, math.inf)])
def test_gripper_ends_must_differ(ends: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="open and closed"):
        GripperConfig(open=ends[0], closed=ends[1])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "claw"}, "'claw' is not one of position, franka, robotiq, none"),
        ({"kind": "franka"}, "0 <= closed < open <= 0.08 m"),  # the default's 0 and 1 are no widths
        ({"kind": "franka", "open": 0.08, "closed": 0.0, "force_n": 100.0}, "force_n = 100.0 is outside 0..70"),
        ({"speed_m_s": 0.0}, "speed_m_s = 0.0 is outside"),
        ({"speed_m_s": math.nan}, "speed_m_s = nan is outside"),
        ({"force_n": -1.0}, "force_n = -1.0 is outside"),
    ],
)
def test_a_gripper_that_makes_no_sense_is_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        GripperConfig(**wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"gain_per_s": -0.1}, "gain_per_s"),
        ({"gain_per_s": 6.0}, "gain_per_s"),
        ({"gain_per_s": math.nan}, "gain_per_s"),
        ({"target_timeout_s": 0.0}, "target_timeout_s"),
        ({"target_timeout_s": 1.0}, "target_timeout_s"),
    ],
)
def test_a_twist_loop_that_makes_no_sense_is_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        TwistConfig(**wrong)


def test_an_arm_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="'joints' is not one of pose_stream, twist_stream"):
        ArmConfig(kind="joints")
    with pytest.raises(ConfigError, match="metres"):
        ArmConfig(tcp_m_rad=(0.0, 0.0, 103.4, 0.0, 0.0, 0.0))
