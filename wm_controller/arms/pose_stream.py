"""Any arm that follows a stream of stamped poses: the simulator, CRISP, MoveIt Servo, an impedance controller.

Such an interface holds the last pose that it was sent. CRISP drops every message when a second node advertises its
topic, so exactly one process may hold one of these.
"""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import ArrayLike
from rclpy.node import Node

from wm_core.measured import driven
from wm_ros import convert, qos
from wm_ros.clock import steady_s

from ..interface import HELD_UP_S
from .base import Arm
from .config import ArmConfig
from .grippers.base import Gripper
from .topics import unheard


class PoseStream(Arm):
    """Publishes PoseStamped targets on ``node``, in ``base_frame``, of the frame that the interface drives."""

    def __init__(self, node: Node, base_frame: str, config: ArmConfig, gripper: Gripper) -> None:
        self._node, self._config, self._base_frame, self._gripper = node, config, base_frame, gripper
        self._poses = node.create_publisher(PoseStamped, config.pose_topic, qos.COMMAND)
        self._last: PoseStamped | None = None
        self._sent_s = -math.inf

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        pose = driven(np.asarray(pose6, dtype=np.float64), self._config.tcp_m_rad)
        message = convert.pose_to_msg(pose, convert.s_to_stamp(stamp_s), self._base_frame)
        if self._last is not None:
            keep_sign(self._last, message)
        self._last, self._sent_s = message, now_s
        self._poses.publish(message)

    def send_gripper(self, value: float) -> None:
        self._gripper.send(value)

    def forget_gripper(self) -> None:
        self._gripper.forget()

    def rest(self, now_s: float) -> None:
        self._sent_s = -math.inf

    def stop(self, at_once: bool = True) -> None:
        """Sends the last target once more, unless that was a while ago: the arm may have been moved since then."""
        if at_once and self._last is not None and steady_s() - self._sent_s <= HELD_UP_S:
            self._last.header.stamp = self._node.get_clock().now().to_msg()
            self._poses.publish(self._last)
        self._gripper.stop()

    def outputs(self) -> tuple[str, ...]:
        return (self._config.pose_topic, *self._gripper.outputs())

    def state(self) -> str:
        return unheard(self._poses, "is the arm's controller active?") or self._gripper.state()


def keep_sign(last: PoseStamped, message: PoseStamped) -> None:
    """Choose of the two quaternions of ``message``'s rotation the one near that of ``last``.

    A tool that points straight down lies where the sign of w changes; who low-passes components must not see a jump.
    """
    p, q = last.pose.orientation, message.pose.orientation
    if p.x * q.x + p.y * q.y + p.z * q.z + p.w * q.w < 0.0:
        q.x, q.y, q.z, q.w = -q.x, -q.y, -q.z, -q.w
