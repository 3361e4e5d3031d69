"""An arm that moves nothing: whatever its configuration names, only the dry run's topic is published."""

from __future__ import annotations

import numpy as np
from rclpy.action import ActionClient

from wm_controller.arms import ArmConfig
from wm_controller.arms.dry_run import DryRunConfig
from wm_core.config import from_layers
from wm_core.limits import Limits

POSE = np.array([0.5, 0.0, 0.3, np.pi, 0.0, 0.0])


def test_nothing_but_the_dry_runs_topic_is_published_and_no_action_is_asked(graph) -> None:
    node = graph.node("controller")
    before = {p.topic_name for p in node.publishers}
    config = DryRunConfig()
    arm = config.make(node, "base", Limits())
    for holding in (False, True):
        arm.send_pose(POSE, 1.0, 1.0, holding)
        arm.send_gripper(1.0)
        arm.forget_gripper()
        arm.stop()
    added = {p.topic_name for p in node.publishers} - before
    assert len(added) == 1 and added.pop().endswith("/dry_run/target_pose")
    assert not list(node.clients) and not any(isinstance(w, ActionClient) for w in node.waitables)
    assert config.outputs() == {} and not config.moves and arm.state() == ""


def test_nothing_of_another_arm_is_left() -> None:
    gripper = {"kind": "franka", "topic": "arm/c", "open": 0.08, "closed": 0.0}
    below = {"kind": "twist_stream", "pose_topic": "arm/a", "twist": {"topic": "arm/b"}, "gripper": gripper}
    assert from_layers(ArmConfig, [("preset", below), ("", {"kind": "dry_run"})], "arm") == DryRunConfig()
