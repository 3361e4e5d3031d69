"""An arm that moves nothing: whatever its configuration names, only the dry run's topic is published."""

from __future__ import annotations

import numpy as np
import pytest
from rclpy.action import ActionClient

from wm_controller.arms import ArmConfig, GripperConfig, TwistConfig, make_arm

POSE = np.array([0.5, 0.0, 0.3, np.pi, 0.0, 0.0])


@pytest.mark.parametrize("gripper", ["position", "franka", "robotiq", "none"])
def test_nothing_but_the_dry_runs_topic_is_published_and_no_action_is_asked(graph, gripper: str) -> None:
    node = graph.node("controller")
    before = {p.topic_name for p in node.publishers}
    widths = {"open": 0.08, "closed": 0.0}
    config = ArmConfig("none", "arm/a", twist=TwistConfig("arm/b"), gripper=GripperConfig(gripper, "arm/c", **widths))
    arm = make_arm(node, "base", config)
    for holding in (False, True):
        arm.send_pose(POSE, 1.0, 1.0, holding)
        arm.send_gripper(1.0)
        arm.forget_gripper()
        arm.stop()
    added = {p.topic_name for p in node.publishers} - before
    assert len(added) == 1 and added.pop().endswith("/dry_run/target_pose")
    assert not list(node.clients) and not any(isinstance(w, ActionClient) for w in node.waitables)
    assert arm.outputs() == () and arm.state() == ""
