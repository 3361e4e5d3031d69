"""The twist stream really publishes, on a ROS 2 graph of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped, TwistStamped  # noqa: E402

from wm_controller.arms.grippers.none import NoGripperConfig  # noqa: E402
from wm_controller.arms.twist_stream import TwistStreamConfig  # noqa: E402
from wm_core.limits import Limits  # noqa: E402
from wm_ros import convert, qos  # noqa: E402
from wm_ros.clock import steady_s  # noqa: E402

LIMITS = Limits()
DOWN = (math.pi, 0.0, 0.0)


def test_twists_and_targets_arrive_and_a_silent_controller_is_zeroed(graph) -> None:
    config = TwistStreamConfig(gripper=NoGripperConfig())
    node, receiver = graph.node("controller"), graph.node("servo")
    arm = config.make(node, "base", LIMITS)
    twists: list[TwistStamped] = []
    targets: list[PoseStamped] = []
    assert "nobody listens to /servo_node/delta_twist_cmds" in arm.state()
    receiver.create_subscription(TwistStamped, config.twist.topic, twists.append, qos.COMMAND)
    receiver.create_subscription(PoseStamped, config.pose_topic, targets.append, qos.COMMAND)
    graph.spin_until(lambda: arm.state() == "")
    graph.spin(0.3)

    for _ in range(20):
        arm.take_state([0.45, 0.0, 0.3, *DOWN], steady_s())
        arm.send_pose([0.5, 0.0, 0.3, *DOWN], steady_s(), 12.25)
        graph.spin(0.02)
    graph.spin_until(lambda: bool(twists and targets and twists[-1].twist.linear.x > 0.0))
    assert twists[-1].header.frame_id == "base" and twists[-1].twist.linear.x <= LIMITS.speed_m_s
    assert convert.msg_to_pose(targets[-1])[0] == pytest.approx(0.5)
    graph.spin_until(lambda: twists[-1].twist.linear.x == 0.0, "the timer sends the zero that nobody else sends")
    arm.stop()


def test_the_flange_of_a_turning_tool_moves(graph) -> None:
    """The TCP turns in place about y: the flange, 0.1 m above it, must travel."""
    config = TwistStreamConfig(tcp_m_rad=(0.0, 0.0, 0.1, 0.0, 0.0, 0.0), gripper=NoGripperConfig())
    arm = config.make(graph.node("controller"), "base", LIMITS)
    arm.send_pose([0.45, 0.0, 0.3, *DOWN], steady_s(), 12.25)
    velocity = arm._at_driven((0.0, 0.0, 0.0), (0.0, 0.2, 0.0))
    np.testing.assert_allclose(velocity, [0.02, 0.0, 0.0], atol=1e-12)
