"""What commands an arm: stamped poses, stamped twists and gripper positions, each on a topic."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import ArrayLike
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from . import convert, qos


class Commands:
    """Messages of type ``kind`` on ``topic``, published by ``node``."""

    def __init__(self, node: Node, kind: type[Any], topic: str) -> None:
        self._node, self._publisher = node, node.create_publisher(kind, topic, qos.COMMAND)

    def unheard(self, advice: str) -> str:
        """Why nothing happens if nobody subscribes to the topic; "" if somebody does."""
        if self._publisher.get_subscription_count() > 0:
            return ""
        return f"nobody listens to {self._publisher.topic_name}; {advice}"


class Poses(Commands):
    """Poses (PoseStamped) in ``frame``."""

    def __init__(self, node: Node, topic: str, frame: str) -> None:
        super().__init__(node, PoseStamped, topic)
        self._frame = frame
        self._last: PoseStamped | None = None

    def send(self, pose6: ArrayLike, stamp_s: float) -> None:
        """``pose6`` is (6,), xyz (m) + extrinsic xyz Euler (rad); ``stamp_s`` is of the ROS clock."""
        message = convert.pose_to_msg(pose6, convert.s_to_stamp(stamp_s), self._frame)
        if self._last is not None:
            keep_sign(self._last, message)
        self._last = message
        self._publisher.publish(message)

    def repeat(self) -> None:
        """Send the last one, if there is any, once more and with the stamp of now."""
        if self._last is not None:
            self._last.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(self._last)


class Twists(Commands):
    """Twists (TwistStamped) in the axes of ``frame``."""

    def __init__(self, node: Node, topic: str, frame: str) -> None:
        super().__init__(node, TwistStamped, topic)
        self._frame = frame

    def send(self, linear: tuple[float, float, float], angular: tuple[float, float, float]) -> None:
        """Send a velocity, m/s, and a turning, rad/s."""
        message = TwistStamped()
        message.header.stamp, message.header.frame_id = self._node.get_clock().now().to_msg(), self._frame
        v, w = message.twist.linear, message.twist.angular
        (v.x, v.y, v.z), (w.x, w.y, w.z) = linear, angular
        self._publisher.publish(message)


class Positions(Commands):
    """Positions of a gripper (Float64MultiArray of one number)."""

    def __init__(self, node: Node, topic: str) -> None:
        super().__init__(node, Float64MultiArray, topic)

    def send(self, position: float) -> None:
        """Send ``position``, in whatever the receiver takes."""
        self._publisher.publish(convert.gripper_command_to_msg(position))


def keep_sign(last: PoseStamped, message: PoseStamped) -> None:
    """Choose of the two quaternions of ``message``'s rotation the one near that of ``last``.

    A tool that points straight down lies where the sign of w changes; who low-passes components must not see a jump.
    """
    p, q = last.pose.orientation, message.pose.orientation
    if p.x * q.x + p.y * q.y + p.z * q.z + p.w * q.w < 0.0:
        q.x, q.y, q.z, q.w = -q.x, -q.y, -q.z, -q.w
