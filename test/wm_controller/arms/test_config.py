from __future__ import annotations

import math

import pytest

from wm_controller.arms import ArmConfig
from wm_controller.arms.grippers import ScaledConfig
from wm_controller.arms.grippers.franka import FrankaConfig
from wm_controller.arms.grippers.position import PositionConfig
from wm_controller.arms.grippers.robotiq import RobotiqConfig
from wm_controller.arms.pose_stream import PoseStreamConfig
from wm_core.config import from_dict, from_layers
from wm_core.errors import ConfigError


def test_the_defaults_are_the_simulators() -> None:
    assert from_dict(ArmConfig, {}) == PoseStreamConfig() == PoseStreamConfig(gripper=PositionConfig())
    assert PoseStreamConfig().pose_topic == "arm/target_pose" and PositionConfig().topic == "arm/gripper_command"
    assert [PositionConfig().scaled(v) for v in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("gripper", [PositionConfig(open=1.0, closed=0.0), FrankaConfig(), RobotiqConfig()])
def test_the_ends_of_a_gripper_are_what_its_receiver_takes(gripper: ScaledConfig) -> None:
    assert gripper.scaled(0.0) == gripper.open and gripper.scaled(1.0) == pytest.approx(gripper.closed)
    assert gripper.scaled(0.5) == pytest.approx((gripper.open + gripper.closed) / 2)


@pytest.mark.parametrize("ends", [(0.5, 0.5), (math.nan, 1.0), (0.0, math.inf)])
def test_gripper_ends_must_differ(ends: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="open and closed"):
        PositionConfig(open=ends[0], closed=ends[1])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"topic": "no topic"}, "the gripper's topic = 'no topic' is no name"),
        ({"kind": "franka", "open": 0.0, "closed": 1.0}, "0 <= closed < open <= 0.08 m"),
        ({"kind": "franka", "force_n": 100.0}, "force_n = 100.0 is outside 0..70"),
        ({"kind": "franka", "speed_m_s": 0.0}, "speed_m_s = 0.0 is outside 0..0.1"),
        ({"kind": "franka", "speed_m_s": math.nan}, "speed_m_s = nan is outside"),
        ({"kind": "franka", "move_topic": ""}, "the gripper's move_topic = '' is no name"),
        ({"kind": "robotiq", "force_n": -1.0}, "force_n = -1.0 is outside 0..235"),
        ({"kind": "robotiq", "move_topic": "x"}, "unknown key 'move_topic'"),
    ],
)
def test_a_gripper_that_makes_no_sense_is_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        from_dict(ArmConfig, {"gripper": wrong})


def test_an_arm_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="metres"):
        PoseStreamConfig(tcp_m_rad=(0.0, 0.0, 103.4, 0.0, 0.0, 0.0))


def test_another_way_to_move_keeps_what_it_knows() -> None:
    preset = {"pose_topic": "target_pose", "gripper": {"kind": "franka", "force_n": 9.0}}
    arm = from_layers(ArmConfig, [("preset", preset), ("", {"kind": "twist_stream"})], "arm")
    assert arm.outputs() == {"twist.topic": "servo_node/delta_twist_cmds", "pose_topic": "target_pose"}
    assert arm.caps() == ("twist.target_timeout_s", "gripper.speed_m_s", "gripper.force_n")
    assert arm.gripper == FrankaConfig(force_n=9.0)
