"""A gripper that follows a position on a topic (Float64MultiArray of one number): CRISP's adapters, the simulator."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from wm_ros import convert, qos
from wm_ros.clock import steady_s

from ..config import GripperConfig
from ..topics import unheard
from .base import Gripper

#: Grippers take each message for a new goal: a change is sent at once, the same value only to reach a late joiner.
CHANGE = 0.01
REPEAT_S = 1.0


class PositionGripper(Gripper):
    """Publishes on ``config.topic`` of ``node``."""

    def __init__(self, node: Node, config: GripperConfig) -> None:
        self._config = config
        self._positions = node.create_publisher(Float64MultiArray, config.topic, qos.COMMAND)
        self._last: float | None = None
        self._sent_s: float | None = None  # None: nothing has been sent yet, so that there is nothing to repeat

    def send(self, value: float) -> None:
        now_s = steady_s()
        if self._last is None:
            self._last = value
        if abs(value - self._last) >= CHANGE:
            self._last = value
        elif self._sent_s is None or now_s - self._sent_s < REPEAT_S:
            return
        self._sent_s = now_s
        self._positions.publish(convert.gripper_command_to_msg(self._config.scaled(self._last)))

    def forget(self) -> None:
        self._last = self._sent_s = None

    def stop(self) -> None:
        """A position that was sent is held; the topic has no way to take it back."""

    def outputs(self) -> tuple[str, ...]:
        return (self._config.topic,)

    def state(self) -> str:
        return unheard(self._positions, "is the gripper's driver running?")
