"""Configuration of an arm: how it is moved, and what its gripper takes. Knows no messages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from wm_core.errors import ConfigError, quoted
from wm_core.measured import SAME, Pose6, check_pose
from wm_core.names import check_topic, meant
from wm_core.pose import Array, compose

KINDS = ("pose_stream", "twist_stream", "none")
GRIPPERS = ("position", "franka", "robotiq", "none")
#: The Franka hand holds 70 N for ever and opens 0.08 m (its data sheet); a Robotiq 2F-85 grips with up to 235 N.
MAX_FORCE_N = {"franka": 70.0, "robotiq": 235.0}
FRANKA_WIDTH_M = 0.08


@dataclass(frozen=True)
class GripperConfig:
    """One gripper. The default is the simulator's.

    ``open`` and ``closed`` are what the receiver takes for its two ends: CRISP 1 and 0, Franka's width 0.08 and 0 m,
    Robotiq 0 and 0.8 rad. ``topic`` is a topic, or the name of an action; Franka's hand has ``move_topic`` besides.
    """

    READ_IF: ClassVar = {
        **dict.fromkeys(("topic", "open", "closed"), ("kind", ("position", "franka", "robotiq"))),
        **dict.fromkeys(("move_topic", "speed_m_s"), ("kind", ("franka",))),
        "force_n": ("kind", ("franka", "robotiq")),
    }

    kind: str = "position"
    topic: str = "arm/gripper_command"
    move_topic: str = "franka_gripper/move"  # franka: opens; ``topic`` is the grasp
    open: float = 0.0
    closed: float = 1.0
    speed_m_s: float = 0.05  # franka; the hand can do 0.1 (libfranka's examples)
    force_n: float = 20.0  # franka and robotiq: enough for 0.5 kg, and bearable for a finger

    def __post_init__(self) -> None:
        if self.kind not in GRIPPERS:
            raise ConfigError(
                f"gripper kind {quoted(self.kind)} is not one of {', '.join(GRIPPERS)}{meant(self.kind, GRIPPERS)}"
            )
        check_topic("the gripper's topic", self.topic)
        check_topic("the gripper's move_topic", self.move_topic)
        if not math.isfinite(self.open - self.closed) or self.open == self.closed:
            raise ConfigError("the gripper's open and closed must be two different finite numbers")
        if self.kind == "franka" and not 0.0 <= self.closed < self.open <= FRANKA_WIDTH_M:
            raise ConfigError(f"a Franka hand's width must be 0 <= closed < open <= {FRANKA_WIDTH_M} m")
        if not 0.0 < self.speed_m_s <= 0.1:
            raise ConfigError(f"the gripper's speed_m_s = {self.speed_m_s} is outside 0..0.1")
        if not 0.0 < self.force_n <= MAX_FORCE_N.get(self.kind, math.inf):
            raise ConfigError(f"the gripper's force_n = {self.force_n} is outside 0..{MAX_FORCE_N.get(self.kind)}")

    def scaled(self, closedness: float) -> float:
        """What the receiver takes for 0 open .. 1 closed."""
        return self.open + closedness * (self.closed - self.open)


@dataclass(frozen=True)
class TwistConfig:
    """The loop that turns targets into twists. Raises ConfigError where a number is out of its range."""

    topic: str = "servo_node/delta_twist_cmds"
    #: Closes 63 % of the lag in 0.5 s. A velocity loop with 50 ms of delay is well damped up to about 5 per second.
    gain_per_s: float = 2.0
    #: The controller ticks every 10 to 20 ms, and rclpy's timers are late by 15 ms at p99; MoveIt Servo waits 100 ms.
    target_timeout_s: float = 0.1

    def __post_init__(self) -> None:
        check_topic("topic", self.topic)
        if not 0.0 <= self.gain_per_s <= 5.0:
            raise ConfigError(f"gain_per_s = {self.gain_per_s} is outside 0..5")
        if not 0.02 <= self.target_timeout_s <= 0.3:
            raise ConfigError(f"target_timeout_s = {self.target_timeout_s} is outside 0.02..0.3")


@dataclass(frozen=True)
class ArmConfig:
    """One arm. The default is the simulator's.

    ``pose_topic`` carries the target TCP poses. A twist stream publishes them too, for whoever records or judges.
    ``tcp_m_rad`` is the TCP seen from the frame that the interface drives: m and extrinsic xyz Euler rad. The kind
    "none" moves nothing, and reads nothing of this.
    """

    READ_IF: ClassVar = {
        **dict.fromkeys(("pose_topic", "tcp_m_rad", "gripper"), ("kind", ("pose_stream", "twist_stream"))),
        "twist": ("kind", ("twist_stream",)),
    }

    kind: str = "pose_stream"
    pose_topic: str = "arm/target_pose"
    tcp_m_rad: Pose6 = SAME
    twist: TwistConfig = field(default_factory=TwistConfig)
    gripper: GripperConfig = field(default_factory=GripperConfig)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"arm kind {quoted(self.kind)} is not one of {', '.join(KINDS)}{meant(self.kind, KINDS)}")
        check_pose("tcp_m_rad", self.tcp_m_rad)
        check_topic("pose_topic", self.pose_topic)

    def tcp(self, sent: Array) -> Array:
        """The TCP's pose ``(6,)`` that a pose on ``pose_topic`` stands for, for whoever judges the stream."""
        same = self.kind in ("twist_stream", "none") or self.tcp_m_rad == SAME
        return sent if same else compose(sent, self.tcp_m_rad)
