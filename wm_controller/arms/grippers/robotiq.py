"""A Robotiq 2F, or any other gripper behind control_msgs/GripperCommand (ros2_control's GripperActionController)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Gripper, ScaledConfig, check_positive, lacking

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.goals import Action, Goals

#: A 2F-85 grips with up to so much (its data sheet).
MAX_FORCE_N = 235.0
#: A smaller change is not sent: each goal starts the motion anew.
CHANGE = 0.05


@dataclass(frozen=True)
class RobotiqConfig(ScaledConfig):
    """``topic`` is the name of the action; ``open`` and ``closed`` are rad of the knuckle, or what the driver takes."""

    kind: str = "robotiq"
    topic: str = "robotiq_gripper_controller/gripper_cmd"
    closed: float = 0.8
    force_n: float = 20.0  # enough for 0.5 kg, and bearable for a finger

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("force_n", self.force_n, MAX_FORCE_N)

    def make(self, node: Node) -> RobotiqGripper:
        """See :meth:`GripperConfig.make`."""
        from wm_ros.goals import Action, Goals

        try:
            from control_msgs.action import GripperCommand
        except ImportError:
            raise lacking(self.kind, "control_msgs") from None
        return RobotiqGripper(self, Action(node, GripperCommand, self.topic), Goals(preempt=True))

    def caps(self) -> tuple[str, ...]:
        """See :meth:`GripperConfig.caps`."""
        return ("force_n",)


class RobotiqGripper(Gripper):
    """Sends ``goals`` for ``command``."""

    def __init__(self, config: RobotiqConfig, command: Action, goals: Goals) -> None:
        self._config, self._command, self._goals = config, command, goals
        self._last: float | None = None

    def send(self, value: float) -> None:
        if self._last is None:
            self._last = value
        if abs(value - self._last) >= CHANGE:
            self._last = value
            goal = self._command.goal()
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
        missing = self._command.missing("is the gripper's controller active, and is this its name?")
        return missing or self._goals.trouble()


KIND = RobotiqConfig
