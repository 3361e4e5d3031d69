"""Any arm that follows a stream of stamped poses: the simulator, CRISP, MoveIt Servo, an impedance controller.

Such an interface holds the last pose that it was sent. CRISP drops every message when a second node advertises its
topic, so exactly one process may hold one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wm_core.limits import Limits
from wm_core.measured import SAME, Pose6, check_pose, driven
from wm_core.names import check_topic
from wm_core.pose import Array, compose
from wm_core.topics import TARGET
from wm_ros.clock import steady_s

from ..interface import HELD_UP_S
from .base import Arm, ArmConfig
from .grippers import Gripper, GripperConfig
from .grippers.position import PositionConfig

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.commands import Poses


@dataclass(frozen=True)
class PoseStreamConfig(ArmConfig):
    """``pose_topic`` carries the targets. The default is the simulator's arm.

    ``tcp_m_rad`` is the TCP seen from the frame that the interface drives: m and extrinsic xyz Euler rad.
    """

    kind: str = "pose_stream"
    pose_topic: str = TARGET.name
    tcp_m_rad: Pose6 = SAME
    gripper: GripperConfig = field(default_factory=PositionConfig)

    def __post_init__(self) -> None:
        check_pose("tcp_m_rad", self.tcp_m_rad)
        check_topic("pose_topic", self.pose_topic)

    def make(self, node: Node, base_frame: str, limits: Limits) -> Arm:
        """See :meth:`ArmConfig.make`."""
        from wm_ros.commands import Poses

        return PoseStream(self, Poses(node, self.pose_topic, base_frame), self.gripper.make(node))

    def outputs(self) -> dict[str, str]:
        """See :meth:`ArmConfig.outputs`."""
        of_gripper = {f"gripper.{key}": topic for key, topic in self.gripper.outputs().items()}
        return {"pose_topic": self.pose_topic, **of_gripper}

    def caps(self) -> tuple[str, ...]:
        """See :meth:`ArmConfig.caps`."""
        return tuple(f"gripper.{key}" for key in self.gripper.caps())

    def fixed(self) -> tuple[str, ...]:
        """See :meth:`ArmConfig.fixed`."""
        return ("tcp_m_rad",)

    def target_topic(self) -> str | None:
        """See :meth:`ArmConfig.target_topic`."""
        return self.pose_topic

    def tcp(self, sent: Array) -> Array:
        """See :meth:`ArmConfig.tcp`; what is sent is the pose of the frame that the interface drives."""
        return sent if self.tcp_m_rad == SAME else compose(sent, self.tcp_m_rad)

    def summary(self) -> str:
        """See :meth:`ArmConfig.summary`."""
        return f"{self.kind}; gripper {self.gripper.kind}"


class PoseStream(Arm):
    """Sends ``poses`` of the frame that the interface drives."""

    def __init__(self, config: PoseStreamConfig, poses: Poses, gripper: Gripper) -> None:
        self._config, self._poses, self._gripper = config, poses, gripper
        self._sent_s = -math.inf

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        self._sent_s = now_s
        self._poses.send(driven(np.asarray(pose6, dtype=np.float64), self._config.tcp_m_rad), stamp_s)

    def send_gripper(self, value: float) -> None:
        self._gripper.send(value)

    def forget_gripper(self) -> None:
        self._gripper.forget()

    def rest(self, now_s: float) -> None:
        self._sent_s = -math.inf

    def stop(self, at_once: bool = True) -> None:
        """Sends the last target once more, unless that was a while ago: the arm may have been moved since then."""
        if at_once and steady_s() - self._sent_s <= HELD_UP_S:
            self._poses.repeat()
        self._gripper.stop()

    def state(self) -> str:
        return self._poses.unheard("is the arm's controller active?") or self._gripper.state()


KIND = PoseStreamConfig
