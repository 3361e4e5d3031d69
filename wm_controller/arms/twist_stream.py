"""Any arm that follows a stream of stamped twists: MoveIt Servo (delta_twist_cmds), a Cartesian velocity controller.

What is sent is decided in twist_law.py.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import ArrayLike
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from wm_core.limits import Limits
from wm_core.measured import driven
from wm_ros import convert, qos
from wm_ros.clock import steady_s

from ..spatial import Vec
from .base import Arm
from .config import ArmConfig
from .grippers.base import Gripper
from .topics import unheard
from .twist_law import TwistLaw


class TwistStream(Arm):
    """Publishes TwistStamped in ``base_frame``, and the targets themselves for whoever records or judges them.

    The twist is that of the frame which the interface drives, in the axes of the base. The receiver must have a
    timeout of its own (MoveIt Servo: ``incoming_command_timeout``): of a process that died nobody sends the zero.
    """

    def __init__(self, node: Node, base_frame: str, config: ArmConfig, gripper: Gripper, limits: Limits) -> None:
        self._node, self._config, self._base_frame, self._gripper = node, config, base_frame, gripper
        self._law = TwistLaw(config.twist, limits)
        self._tcp = np.zeros(6)  # as last sent
        self._twists = node.create_publisher(TwistStamped, config.twist.topic, qos.COMMAND)
        self._poses = node.create_publisher(PoseStamped, config.pose_topic, qos.COMMAND)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # one that nobody can set or stop
        node.create_timer(config.twist.target_timeout_s / 2, self._watch, clock=steady)

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        self._law.take_state(pose6, stamp_s)

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        linear, angular = self._law.twist(pose6, now_s, holding)
        self._tcp = np.asarray(pose6, dtype=np.float64)
        self._publish(linear, angular)
        self._poses.publish(convert.pose_to_msg(pose6, convert.s_to_stamp(stamp_s), self._base_frame))

    def send_gripper(self, value: float) -> None:
        self._gripper.send(value)

    def forget_gripper(self) -> None:
        self._gripper.forget()

    def rest(self, now_s: float) -> None:
        if self._law.moving:
            self._publish(*self._law.rest(now_s))

    def stop(self, at_once: bool = True) -> None:
        """Zero twist at once: the receiver's own limits decide how it brakes."""
        if at_once:
            self._publish(*self._law.stop())
        self._gripper.stop()

    def outputs(self) -> tuple[str, ...]:
        return (self._config.twist.topic, self._config.pose_topic, *self._gripper.outputs())

    def state(self) -> str:
        return unheard(self._twists, "is the arm's controller active?") or self._gripper.state()

    def _at_driven(self, linear: Vec, angular: Vec) -> Vec:
        """The velocity of the driven frame's origin when that of the TCP is ``linear``: one rigid body."""
        if not any(angular):
            return linear
        lever = driven(self._tcp, self._config.tcp_m_rad)[:3] - self._tcp[:3]
        x, y, z = (np.asarray(linear) + np.cross(angular, lever)).tolist()
        return (x, y, z)

    def _watch(self) -> None:
        if self._law.overdue(steady_s()):
            self._publish(*self._law.stop())

    def _publish(self, linear: Vec, angular: Vec) -> None:
        message = TwistStamped()
        message.header.stamp, message.header.frame_id = self._node.get_clock().now().to_msg(), self._base_frame
        v, w = message.twist.linear, message.twist.angular
        (v.x, v.y, v.z), (w.x, w.y, w.z) = self._at_driven(linear, angular), angular
        self._twists.publish(message)
