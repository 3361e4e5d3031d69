"""The parameters of the controller node that only together make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wm_controller.arms import ArmConfig
from wm_controller.arms.dry_run import DryRunConfig
from wm_controller.arms.grippers.position import PositionConfig
from wm_controller.arms.grippers.robotiq import RobotiqConfig
from wm_controller.arms.pose_stream import PoseStreamConfig
from wm_controller.arms.twist_stream import TwistStreamConfig
from wm_controller.node_config import ControllerNodeConfig
from wm_controller.twist_law import TwistConfig
from wm_core.errors import ConfigError

ARM = PoseStreamConfig()


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        (
            replace(ARM, pose_topic="controller/state"),
            "arm.pose_topic = 'controller/state' is also the topic of the con",
        ),
        (replace(ARM, pose_topic="/arm/current_pose"), "is also the topic of measured.pose_topic; give each"),
        (replace(ARM, pose_topic="arm/joints"), "is also the topic of measured.joints_topic"),
        (
            replace(ARM, gripper=PositionConfig(topic="arm/target_pose")),
            "arm.gripper.topic = 'arm/target_pose' is",
        ),
        (TwistStreamConfig(twist=TwistConfig(topic="arm/wrench")), "arm.twist.topic = 'arm/wrench' is"),
    ],
)
def test_what_is_sent_has_a_topic_of_its_own(arm: ArmConfig, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ControllerNodeConfig(arm=arm)


def test_a_topic_that_is_not_used_clashes_with_none() -> None:
    ControllerNodeConfig(arm=DryRunConfig())
    ControllerNodeConfig(arm=replace(ARM, gripper=RobotiqConfig(topic="arm/target_pose")))
