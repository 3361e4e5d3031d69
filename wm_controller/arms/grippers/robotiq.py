"""A Robotiq 2F, or any other gripper behind control_msgs/GripperCommand (ros2_control's GripperActionController)."""

from __future__ import annotations

from rclpy.action.client import ActionClient
from rclpy.node import Node

from wm_core import install
from wm_core.errors import ConfigError

from ..config import GripperConfig
from .base import Gripper
from .goals import Goals

try:
    from control_msgs.action import GripperCommand
except ImportError:
    raise ConfigError(
        f"a gripper of kind 'robotiq' needs the ROS package control_msgs: {install.ros_package('control_msgs')}"
    ) from None

#: A smaller change is not sent: each goal starts the motion anew.
CHANGE = 0.05


class RobotiqGripper(Gripper):
    """An action client of ``node`` for ``config.topic``; positions in rad of the knuckle, or what the driver takes."""

    def __init__(self, node: Node, config: GripperConfig) -> None:
        self._config = config
        self._command = ActionClient(node, GripperCommand, config.topic)
        self._goals = Goals(preempt=True)
        self._last: float | None = None

    def send(self, value: float) -> None:
        if self._last is None:
            self._last = value
        if abs(value - self._last) >= CHANGE:
            self._last = value
            goal = GripperCommand.Goal()
            goal.command.position, goal.command.max_effort = self._config.scaled(value), self._config.force_n
            self._goals.send(self._command, goal)
        self._goals.poll()

    def forget(self) -> None:
        self._last = None
        self._goals.forget()

    def stop(self) -> None:
        self.forget()
        self._goals.cancel()

    def state(self) -> str:
        if not self._command.server_is_ready():
            return f"there is no action {self._config.topic}; is the gripper's controller active, and is this its name?"
        return self._goals.trouble()
