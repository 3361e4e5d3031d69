"""The pose stream really publishes, on a ROS 2 graph of its own."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from wm_core.errors import ConfigError

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from std_msgs.msg import Float64MultiArray  # noqa: E402

from wm_controller.arms.pose_stream import PoseStream, PoseStreamConfig  # noqa: E402
from wm_ros import convert, qos  # noqa: E402

POSE = np.array([0.45, 0.1, 0.3, math.pi, 0.1, 0.3])


class Receiver:
    def __init__(self, node: rclpy.node.Node, config: PoseStreamConfig) -> None:
        self.poses: list[PoseStamped] = []
        self.grippers: list[float] = []
        node.create_subscription(PoseStamped, config.pose_topic, self.poses.append, qos.COMMAND)
        node.create_subscription(
            Float64MultiArray, config.gripper_topic, lambda m: self.grippers.append(m.data[0]), qos.COMMAND
        )


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[rclpy.node.Node]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.context.Context()
    rclpy.init(context=context, domain_id=1 + os.getpid() % 100)
    node = rclpy.create_node("arm", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def spin_until(node: rclpy.node.Node, done: Callable[[], bool]) -> None:
    executor = rclpy.executors.SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    deadline = time.monotonic() + 5.0
    while not done():
        assert time.monotonic() < deadline, "no message came"
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()


def test_poses_and_gripper_arrive(node: rclpy.node.Node) -> None:
    config = PoseStreamConfig(gripper_open=1.0, gripper_closed=0.0)  # as CRISP has it
    receiver = Receiver(node, config)
    arm = PoseStream(node, "base", config)
    arm.stop()  # before the first target there is nothing to rest at
    arm.send_pose(POSE, 12.25)
    arm.send_gripper(0.2)
    spin_until(node, lambda: bool(receiver.poses) and bool(receiver.grippers))
    message = receiver.poses[0]
    assert message.header.frame_id == "base"
    assert convert.stamp_to_s(message.header.stamp) == 12.25
    np.testing.assert_allclose(convert.msg_to_pose(message), POSE, atol=1e-9)
    assert receiver.grippers == pytest.approx([0.8])

    arm.send_gripper(0.201)  # the same, a moment later
    arm.send_gripper(0.9)
    arm.stop()
    spin_until(node, lambda: len(receiver.poses) == 2 and len(receiver.grippers) == 2)
    assert receiver.grippers == pytest.approx([0.8, 0.1])
    np.testing.assert_allclose(convert.msg_to_pose(receiver.poses[1]), POSE, atol=1e-9)


@pytest.mark.parametrize("ends", [(0.5, 0.5), (math.nan, 1.0), (0.0, math.inf)])
def test_gripper_ends_must_differ(ends: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="gripper_open"):
        PoseStreamConfig(gripper_open=ends[0], gripper_closed=ends[1])
