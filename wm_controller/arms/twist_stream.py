"""Any arm that follows a stream of stamped twists: MoveIt Servo (delta_twist_cmds), a Cartesian velocity controller.

What is sent is decided in twist_law.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wm_core.limits import Limits
from wm_core.measured import driven
from wm_core.pose import Array
from wm_ros.clock import steady_s

from ..spatial import Vec
from ..twist_law import TwistConfig, TwistLaw
from .base import Arm
from .grippers import Gripper
from .pose_stream import PoseStreamConfig

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.commands import Poses, Twists


@dataclass(frozen=True)
class TwistStreamConfig(PoseStreamConfig):
    """``twist`` is what the arm follows; ``pose_topic`` carries the target TCP poses for whoever records or judges."""

    kind: str = "twist_stream"
    twist: TwistConfig = field(default_factory=TwistConfig)

    def make(self, node: Node, base_frame: str, limits: Limits) -> TwistStream:
        """See :meth:`ArmConfig.make`; the ``limits`` bound the twists."""
        from rclpy.clock import Clock
        from rclpy.clock_type import ClockType

        from wm_ros.commands import Poses, Twists

        twists, poses = Twists(node, self.twist.topic, base_frame), Poses(node, self.pose_topic, base_frame)
        arm = TwistStream(self, limits, twists, poses, self.gripper.make(node))
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # one that nobody can set or stop
        node.create_timer(self.twist.target_timeout_s / 2, arm.watch, clock=steady)
        return arm

    def outputs(self) -> dict[str, str]:
        """See :meth:`ArmConfig.outputs`."""
        return {"twist.topic": self.twist.topic, **super().outputs()}

    def caps(self) -> tuple[str, ...]:
        """See :meth:`ArmConfig.caps`."""
        return ("twist.target_timeout_s", *super().caps())

    def tcp(self, sent: Array) -> Array:
        """See :meth:`ArmConfig.tcp`."""
        return sent


class TwistStream(Arm):
    """Sends ``twists`` and, for whoever records or judges them, the targets themselves as ``poses``.

    The twist is that of the frame which the interface drives, in the axes of the base. The receiver must have a
    timeout of its own (MoveIt Servo: ``incoming_command_timeout``): of a process that died nobody sends the zero.
    """

    def __init__(
        self, config: TwistStreamConfig, limits: Limits, twists: Twists, poses: Poses, gripper: Gripper
    ) -> None:
        self._config, self._twists, self._poses, self._gripper = config, twists, poses, gripper
        self._law = TwistLaw(config.twist, limits)
        self._tcp = np.zeros(6)  # as last sent

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        self._law.take_state(pose6, stamp_s)

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        linear, angular = self._law.twist(pose6, now_s, holding)
        self._tcp = np.asarray(pose6, dtype=np.float64)
        self._send(linear, angular)
        self._poses.send(pose6, stamp_s)

    def send_gripper(self, value: float) -> None:
        self._gripper.send(value)

    def forget_gripper(self) -> None:
        self._gripper.forget()

    def rest(self, now_s: float) -> None:
        if self._law.moving:
            self._send(*self._law.rest(now_s))

    def stop(self, at_once: bool = True) -> None:
        """Zero twist at once: the receiver's own limits decide how it brakes."""
        if at_once:
            self._send(*self._law.stop())
        self._gripper.stop()

    def watch(self) -> None:
        """To be called at least twice within ``target_timeout_s``: stops the arm where no target follows a twist."""
        if self._law.overdue(steady_s()):
            self._send(*self._law.stop())

    def state(self) -> str:
        return self._twists.unheard("is the arm's controller active?") or self._gripper.state()

    def _at_driven(self, linear: Vec, angular: Vec) -> Vec:
        """The velocity of the driven frame's origin when that of the TCP is ``linear``: one rigid body."""
        if not any(angular):
            return linear
        lever = driven(self._tcp, self._config.tcp_m_rad)[:3] - self._tcp[:3]
        x, y, z = (np.asarray(linear) + np.cross(angular, lever)).tolist()
        return (x, y, z)

    def _send(self, linear: Vec, angular: Vec) -> None:
        self._twists.send(self._at_driven(linear, angular), angular)


KIND = TwistStreamConfig
