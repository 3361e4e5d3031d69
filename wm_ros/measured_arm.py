"""The measured arm: joins its pose, gripper and wrench into one state per pose, and reads its joints."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState

from wm_core.measured import MeasuredConfig
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
        config: names, scales and frames of the topics; None: the simulator's.
    """

    def __init__(
        self,
        node: Node,
        base_frame: str,
        refused: Callable[[str], None],
        measured: Callable[[Measured], None] = lambda _: None,
        config: MeasuredConfig | None = None,
    ) -> None:
        self._config = c = MeasuredConfig() if config is None else config
        self._base_frame, self._refused, self._measured = base_frame, refused, measured
        self._gripper = math.nan
        self._gripper_s = self._wrench_s = -math.inf
        self._wrench: Array | None = None
        self._history: deque[Measured] = deque(maxlen=HISTORY)
        node.create_subscription(JointState, c.gripper_topic, self._on_gripper, qos.SENSOR)
        node.create_subscription(WrenchStamped, c.wrench_topic, self._on_wrench, qos.SENSOR)
        node.create_subscription(PoseStamped, c.pose_topic, self._on_pose, qos.SENSOR)

    def nearest(self, stamp_s: float) -> tuple[float, Measured | None]:
        """How far from ``stamp_s`` (s) the nearest state is, and that state; infinity and None without any."""
        best = min(self._history, key=lambda m: abs(m.stamp_s - stamp_s), default=None)
        return (math.inf, None) if best is None else (abs(best.stamp_s - stamp_s), best)

    def _on_gripper(self, msg: JointState) -> None:
        try:
            self._gripper = self._config.gripper.closedness(msg.name, msg.position)
            self._gripper_s = convert.stamp_to_s(msg.header.stamp)
        except ValueError as error:
            self._refused(str(error))

    def _on_wrench(self, msg: WrenchStamped) -> None:
        if self._in_base(self._config.wrench_topic, msg.header.frame_id):
            try:
                self._wrench, self._wrench_s = convert.msg_to_wrench(msg), convert.stamp_to_s(msg.header.stamp)
            except ValueError as error:
                self._refused(str(error))

    def _on_pose(self, msg: PoseStamped) -> None:
        if not self._in_base(self._config.pose_topic, msg.header.frame_id):
            return
        try:
            pose = self._config.tcp(convert.msg_to_pose(msg))
        except ValueError as error:
            return self._refused(f"{self._config.pose_topic}: {error}")
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        if abs(stamp_s - self._gripper_s) > GRIPPER_TIMEOUT_S:
            topics = f"{self._config.gripper_topic} is silent or its clock differs from that of"
            return self._refused(f"{topics} {self._config.pose_topic}")
        wrench = self._wrench if abs(stamp_s - self._wrench_s) <= WRENCH_TIMEOUT_S else None
        state = Measured(stamp_s, pose, self._gripper, wrench)
        self._history.append(state)
        self._measured(state)

    def _in_base(self, topic: str, frame_id: str) -> bool:
        if frame_id != self._base_frame:
            self._refused(f"{topic} has the frame id '{frame_id}', not '{self._base_frame}'")
        return frame_id == self._base_frame


def arm_joints(msg: JointState) -> Array | None:
    """Positions ``(7,)`` in rad of joint1..joint7 of a JointState, in that order, whatever their prefix is.

    None where the message is about other joints (a driver may report the fingers on the same topic). What is no number
    stays in, for the watchdogs to see.
    """
    found: dict[int, float] = {}
    for name, position in zip(msg.name, msg.position, strict=False):
        if (match := re.fullmatch(r"(?!.*finger).*joint_?([1-7])", name)) is not None:
            found[int(match[1])] = float(position)
    return np.array([found[k] for k in range(1, 8)]) if len(found) == 7 else None
