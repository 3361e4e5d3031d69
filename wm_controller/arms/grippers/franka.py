"""The Franka hand through the actions of franka_gripper (franka_ros2): ``grasp`` closes, ``move`` opens.

The hand is told to close or to open, not to follow: each goal is a motion of its own that cannot be steered, and its
server accepts any number of them. So a goal is sent when the command turns, not when it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wm_core.errors import ConfigError
from wm_core.names import check_topic

from .base import Gripper, ScaledConfig, check_positive, lacking

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.goals import Action, Goals

#: How far the hand opens, and what it holds with for ever (its data sheet).
WIDTH_M, MAX_FORCE_N = 0.08, 70.0
#: How fast its fingers go in libfranka's examples.
MAX_SPEED_M_S = 0.1
#: By how much the command must turn back before the hand does. The controller lets no smaller change than 0.25 through.
HYSTERESIS = 0.2


@dataclass(frozen=True)
class FrankaConfig(ScaledConfig):
    """``topic`` names the grasp action, ``move_topic`` the move; ``open`` and ``closed`` are widths, m."""

    kind: str = "franka"
    topic: str = "franka_gripper/grasp"
    move_topic: str = "franka_gripper/move"
    open: float = WIDTH_M
    closed: float = 0.0
    speed_m_s: float = 0.05
    force_n: float = 20.0  # enough for 0.5 kg, and bearable for a finger

    def __post_init__(self) -> None:
        super().__post_init__()
        check_topic("the gripper's move_topic", self.move_topic)
        if not 0.0 <= self.closed < self.open <= WIDTH_M:
            raise ConfigError(f"a Franka hand's width must be 0 <= closed < open <= {WIDTH_M} m")
        check_positive("speed_m_s", self.speed_m_s, MAX_SPEED_M_S)
        check_positive("force_n", self.force_n, MAX_FORCE_N)

    def make(self, node: Node) -> FrankaGripper:
        """See :meth:`GripperConfig.make`."""
        from wm_ros.goals import Action, Goals

        try:
            from franka_msgs.action import Grasp, Move
        except ImportError:
            raise lacking(self.kind, "franka_msgs") from None
        grasp, move = Action(node, Grasp, self.topic), Action(node, Move, self.move_topic)
        return FrankaGripper(self, grasp, move, Goals(preempt=False))

    def caps(self) -> tuple[str, ...]:
        """See :meth:`GripperConfig.caps`."""
        return "speed_m_s", "force_n"


class FrankaGripper(Gripper):
    """Sends ``goals`` for ``grasp`` and ``move``."""

    def __init__(self, config: FrankaConfig, grasp: Action, move: Action, goals: Goals) -> None:
        self._config, self._grasp, self._move, self._goals = config, grasp, move, goals
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
            goal = self._grasp.goal(width=c.closed, speed=c.speed_m_s, force=c.force_n)
            goal.epsilon.inner = goal.epsilon.outer = WIDTH_M
            self._goals.send(self._grasp, goal)
        else:
            self._goals.send(self._move, self._move.goal(width=c.open, speed=c.speed_m_s))

    def stop(self) -> None:
        """A grasp that has ended goes on squeezing."""
        self.forget()
        self._goals.cancel()

    def state(self) -> str:
        missing = (a.missing("is franka_gripper running, and is this its name?") for a in (self._grasp, self._move))
        return next(filter(None, missing), "") or self._goals.trouble()


KIND = FrankaConfig
