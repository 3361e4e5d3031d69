"""The parameters of the controller node that only together make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wm_controller.arms import ArmConfig
from wm_controller.arms.config import GripperConfig, TwistConfig
from wm_controller.node_config import ControllerNodeConfig
from wm_core.errors import ConfigError

ARM = ArmConfig()


@pytest.mark.parametrize(
    ("arm", "says"),
    [
        (
            replace(ARM, pose_topic="controller/state"),
            "arm.pose_topic = 'controller/state' is also the topic of the con",
        ),
        (replace(ARM, pose_topic="/arm/current_pose"), "is also the topic of measured.pose_topic; give each"),
        (replace(ARM, pose_topic="arm/joints"), "is also the topic of measured.joints_topic"),
        (replace(ARM, gripper=GripperConfig(topic="arm/target_pose")), "arm.gripper.topic = 'arm/target_pose' is also"),
        (replace(ARM, kind="twist_stream", twist=TwistConfig(topic="arm/wrench")), "arm.twist.topic = 'arm/wrench' is"),
    ],
)
def test_what_is_sent_has_a_topic_of_its_own(arm: ArmConfig, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ControllerNodeConfig(arm=arm)


def test_a_topic_that_is_not_used_clashes_with_none() -> None:
    ControllerNodeConfig(arm=replace(ARM, kind="none", pose_topic="arm/current_pose"))
    ControllerNodeConfig(arm=replace(ARM, gripper=GripperConfig(kind="robotiq", topic="arm/target_pose")))
