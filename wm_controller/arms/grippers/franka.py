"""The Franka hand through the actions of franka_gripper (franka_ros2): ``grasp`` closes, ``move`` opens.

The hand is told to close or to open, not to follow: each goal is a motion of its own that cannot be steered, and its
server accepts any number of them. So a goal is sent when the command turns, not when it changes.
"""

from __future__ import annotations

from rclpy.action.client import ActionClient
from rclpy.node import Node

from wm_core import install
from wm_core.errors import ConfigError

from ..config import FRANKA_WIDTH_M, GripperConfig
from .base import Gripper
from .goals import Goals

try:
    from franka_msgs.action import Grasp, Move
except ImportError:
    raise ConfigError(
        f"a gripper of kind 'franka' needs the ROS package franka_msgs: {install.ros_package('franka_msgs')}"
    ) from None

#: By how much the command must turn back before the hand does. The controller lets no smaller change than 0.25 through.
HYSTERESIS = 0.2


class FrankaGripper(Gripper):
    """Action clients of ``node``: ``config.topic`` is the grasp, ``config.move_topic`` the move."""

    def __init__(self, node: Node, config: GripperConfig) -> None:
        self._config = config
        self._grasp = ActionClient(node, Grasp, config.topic)
        self._move = ActionClient(node, Move, config.move_topic)
        self._goals = Goals(preempt=False)
        self.forget()

    def forget(self) -> None:
        self._turn: float | None = None  # the command's furthest value in the direction it has gone
        self._closing: bool | None = None  # None: the command has not turned yet
        self._goals.forget()

    def send(self, value: float) -> None:
        if self._turn is None:
            self._turn = value
        if self._closing is not True and value >= self._turn + HYSTERESIS:
            self._turn, self._closing = value, True
            self._begin(closing=True)
        elif self._closing is not False and value <= self._turn - HYSTERESIS:
            self._turn, self._closing = value, False
            self._begin(closing=False)
        elif self._closing is not None:
            self._turn = max(self._turn, value) if self._closing else min(self._turn, value)
        self._goals.poll()

    def _begin(self, closing: bool) -> None:
        c = self._config
        if closing:
            # Any width counts as grasped: what it is that stands between the fingers is not known here.
            goal = Grasp.Goal(width=c.closed, speed=c.speed_m_s, force=c.force_n)
            goal.epsilon.inner = goal.epsilon.outer = FRANKA_WIDTH_M
            self._goals.send(self._grasp, goal)
        else:
            self._goals.send(self._move, Move.Goal(width=c.open, speed=c.speed_m_s))

    def stop(self) -> None:
        """A grasp that has ended goes on squeezing."""
        self.forget()
        self._goals.cancel()

    def state(self) -> str:
        for client, name in ((self._grasp, self._config.topic), (self._move, self._config.move_topic)):
            if not client.server_is_ready():
                return f"there is no action {name}; is franka_gripper running, and is this its name?"
        return self._goals.trouble()
