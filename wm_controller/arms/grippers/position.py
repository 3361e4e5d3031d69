"""A gripper that follows a position on a topic (Float64MultiArray of one number): CRISP's adapters, the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wm_ros.clock import steady_s

from .base import Gripper, ScaledConfig

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.commands import Positions

#: Grippers take each message for a new goal: a change is sent at once, the same value only to reach a late joiner.
CHANGE = 0.01
REPEAT_S = 1.0


@dataclass(frozen=True)
class PositionConfig(ScaledConfig):
    """``topic`` takes the positions; for CRISP's adapters ``open`` is 1 and ``closed`` 0."""

    def make(self, node: Node) -> PositionGripper:
        """See :meth:`GripperConfig.make`."""
        from wm_ros.commands import Positions

        return PositionGripper(self, Positions(node, self.topic))

    def outputs(self) -> dict[str, str]:
        """See :meth:`GripperConfig.outputs`."""
        return {"topic": self.topic}


class PositionGripper(Gripper):
    """Sends ``positions``."""

    def __init__(self, config: PositionConfig, positions: Positions) -> None:
        self._config, self._positions = config, positions
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
        self._positions.send(self._config.scaled(self._last))

    def forget(self) -> None:
        self._last = self._sent_s = None

    def stop(self) -> None:
        """A position that was sent is held; the topic has no way to take it back."""

    def state(self) -> str:
        return self._positions.unheard("is the gripper's driver running?")


KIND = PositionConfig
