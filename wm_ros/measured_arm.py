"""The measured arm: joins ``arm/current_pose``, ``arm/gripper`` and ``arm/wrench`` into one state per pose."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from wm_core.pose import Array

from . import convert, qos

#: Grippers report at 10 Hz or more; a value older than this (against the pose's stamp) is lost, not slow.
GRIPPER_TIMEOUT_S = 0.5
WRENCH_TIMEOUT_S = 0.2
HISTORY = 128


@dataclass(frozen=True)
class Measured:
    """``pose`` (6,) TCP in the base frame, ``gripper`` 0 open .. 1 closed, ``wrench`` (6,) N and Nm or None."""

    stamp_s: float
    pose: Array
    gripper: float
    wrench: Array | None

    @property
    def state(self) -> Array:
        """The 7-D state of :mod:`wm_core.pose`."""
        return np.append(self.pose, self.gripper)


class MeasuredArm:
    """Subscribes to the arm's topics.

    Args:
        node: that subscribes.
        base_frame: the frame id that poses and wrenches must carry.
        refused: called with one sentence for each message that cannot be used.
        measured: called with each state.
    """

    def __init__(
        self,
        node: Node,
        base_frame: str,
        refused: Callable[[str], None],
        measured: Callable[[Measured], None] = lambda _: None,
    ) -> None:
        self._base_frame, self._refused, self._measured = base_frame, refused, measured
        self._gripper = math.nan
        self._gripper_s = self._wrench_s = -math.inf
        self._wrench: Array | None = None
        self._history: deque[Measured] = deque(maxlen=HISTORY)
        node.create_subscription(JointState, "arm/gripper", self._on_gripper, qos.SENSOR)
        node.create_subscription(WrenchStamped, "arm/wrench", self._on_wrench, qos.SENSOR)
        node.create_subscription(PoseStamped, "arm/current_pose", self._on_pose, qos.SENSOR)

    def nearest(self, stamp_s: float) -> tuple[float, Measured | None]:
        """How far from ``stamp_s`` (s) the nearest state is, and that state; infinity and None without any."""
        best = min(self._history, key=lambda m: abs(m.stamp_s - stamp_s), default=None)
        return (math.inf, None) if best is None else (abs(best.stamp_s - stamp_s), best)

    def _on_gripper(self, msg: JointState) -> None:
        try:
            self._gripper, self._gripper_s = convert.msg_to_gripper(msg), convert.stamp_to_s(msg.header.stamp)
        except ValueError as error:
            self._refused(str(error))

    def _on_wrench(self, msg: WrenchStamped) -> None:
        if self._in_base("arm/wrench", msg.header.frame_id):
            try:
                self._wrench, self._wrench_s = convert.msg_to_wrench(msg), convert.stamp_to_s(msg.header.stamp)
            except ValueError as error:
                self._refused(str(error))

    def _on_pose(self, msg: PoseStamped) -> None:
        if not self._in_base("arm/current_pose", msg.header.frame_id):
            return
        try:
            pose = convert.msg_to_pose(msg)
        except ValueError as error:
            return self._refused(f"arm/current_pose: {error}")
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        if abs(stamp_s - self._gripper_s) > GRIPPER_TIMEOUT_S:
            return self._refused("arm/gripper is silent or its clock differs from that of arm/current_pose")
        wrench = self._wrench if abs(stamp_s - self._wrench_s) <= WRENCH_TIMEOUT_S else None
        state = Measured(stamp_s, pose, self._gripper, wrench)
        self._history.append(state)
        self._measured(state)

    def _in_base(self, topic: str, frame_id: str) -> bool:
        if frame_id != self._base_frame:
            self._refused(f"{topic} has the frame id '{frame_id}', not '{self._base_frame}'")
        return frame_id == self._base_frame
