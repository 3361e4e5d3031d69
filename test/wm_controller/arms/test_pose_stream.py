"""The pose stream really publishes, on a ROS 2 graph of its own."""

from __future__ import annotations

import math

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from std_msgs.msg import Float64MultiArray  # noqa: E402

from wm_controller.arms.grippers.position import PositionConfig  # noqa: E402
from wm_controller.arms.pose_stream import PoseStreamConfig  # noqa: E402
from wm_core.limits import Limits  # noqa: E402
from wm_core.pose import FLANGE_FROM_HAND_TCP_M_RAD, compose  # noqa: E402
from wm_ros import convert, qos  # noqa: E402

POSE = np.array([0.45, 0.1, 0.3, math.pi, 0.1, 0.3])
CRISP = PositionConfig(open=1.0, closed=0.0)


class Receiver:
    def __init__(self, node: rclpy.node.Node, config: PoseStreamConfig) -> None:
        self.poses: list[PoseStamped] = []
        self.grippers: list[float] = []
        node.create_subscription(PoseStamped, config.pose_topic, self.poses.append, qos.COMMAND)
        node.create_subscription(
            Float64MultiArray, config.gripper.topic, lambda m: self.grippers.append(m.data[0]), qos.COMMAND
        )


def test_poses_and_gripper_arrive(graph) -> None:
    config = PoseStreamConfig(gripper=CRISP)
    node = graph.node("controller")
    arm = config.make(node, "base", Limits())
    assert "nobody listens to /arm/target_pose" in arm.state()
    receiver = Receiver(graph.node("arm"), config)
    graph.spin_until(lambda: arm.state() == "")
    arm.send_gripper(0.0)  # what it is doing already
    arm.send_pose(POSE, 3.5, 12.25)
    arm.send_gripper(0.2)
    graph.spin_until(lambda: bool(receiver.poses) and bool(receiver.grippers))
    message = receiver.poses[0]
    assert message.header.frame_id == "base"
    assert convert.stamp_to_s(message.header.stamp) == 12.25, "the moment of the tick, not that of sending"
    np.testing.assert_allclose(convert.msg_to_pose(message), POSE, atol=1e-9)
    assert receiver.grippers == pytest.approx([0.8])

    arm.send_gripper(0.201)  # the same, a moment later
    arm.send_gripper(0.9)
    graph.spin_until(lambda: len(receiver.grippers) == 2)
    assert receiver.grippers == pytest.approx([0.8, 0.1])
    for quiet in (lambda: arm.stop(at_once=False), arm.stop, lambda: arm.rest(3.6), arm.stop):
        quiet()  # the arm rests at the last target, or somebody has moved it meanwhile
    graph.spin(0.3)
    assert len(receiver.poses) == 1


def test_what_is_sent_is_the_pose_of_the_driven_frame(graph) -> None:
    config = PoseStreamConfig(tcp_m_rad=tuple(FLANGE_FROM_HAND_TCP_M_RAD.tolist()))
    arm = config.make(graph.node("controller"), "base", Limits())
    receiver = Receiver(graph.node("arm"), config)
    graph.spin_until(lambda: "target_pose" not in arm.state())
    arm.send_pose(POSE, 1.0, 1.0)
    graph.spin_until(lambda: bool(receiver.poses))
    sent = convert.msg_to_pose(receiver.poses[0])
    np.testing.assert_allclose(compose(sent, FLANGE_FROM_HAND_TCP_M_RAD), POSE, atol=1e-9)
    assert sent[2] > POSE[2] + 0.09, "the flange is above the TCP"


def test_quaternions_do_not_jump_where_the_tool_points_down(graph) -> None:
    """Straight down, roll is half a turn and w changes its sign with the slightest tilt."""
    config = PoseStreamConfig()
    arm = config.make(graph.node("controller"), "base", Limits())
    receiver = Receiver(graph.node("arm"), config)
    graph.spin_until(lambda: "target_pose" not in arm.state())
    for k, roll in enumerate((math.pi - 0.01, math.pi + 0.01, math.pi - 0.01)):
        arm.send_pose([0.4, 0.0, 0.3, roll, 0.0, 0.2], 1.0 + k, 1.0 + k)
        graph.spin_until(lambda wanted=k + 1: len(receiver.poses) == wanted)
    q = np.array([[m.pose.orientation.x, m.pose.orientation.y, m.pose.orientation.w] for m in receiver.poses])
    assert np.abs(np.diff(q, axis=0)).max() < 0.02
