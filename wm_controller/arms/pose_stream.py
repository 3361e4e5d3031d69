"""Any arm that follows a stream of stamped TCP poses: the simulator, CRISP, MoveIt Servo.

Such an interface holds the last pose that it was sent. CRISP drops every message when a second node advertises its
topic, so exactly one process may hold one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from numpy.typing import ArrayLike
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from wm_core.errors import ConfigError
from wm_ros import convert, qos

from .base import Arm

#: Grippers take each message for a new goal: a change is sent at once, the same value only to reach a late joiner.
GRIPPER_CHANGE = 0.01
GRIPPER_REPEAT_S = 1.0


@dataclass(frozen=True)
class PoseStreamConfig:
    """Names and ranges of one arm. The default is the simulator's; CRISP's gripper is 0 closed .. 1 open.

    Raises ConfigError where the two ends of the gripper are not two different finite numbers.
    """

    pose_topic: str = "arm/target_pose"
    gripper_topic: str = "arm/gripper_command"
    gripper_open: float = 0.0  # what the receiver takes for fully open
    gripper_closed: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.gripper_open - self.gripper_closed) or self.gripper_open == self.gripper_closed:
            raise ConfigError("gripper_open and gripper_closed must be two different finite numbers")


class PoseStream(Arm):
    """Publishes PoseStamped targets and Float64MultiArray gripper commands on ``node``, in ``base_frame``."""

    def __init__(self, node: Node, base_frame: str, config: PoseStreamConfig | None = None) -> None:
        self._config = config if config is not None else PoseStreamConfig()
        self._base_frame = base_frame
        self._clock = node.get_clock()
        self._poses = node.create_publisher(PoseStamped, self._config.pose_topic, qos.COMMAND)
        self._grippers = node.create_publisher(Float64MultiArray, self._config.gripper_topic, qos.COMMAND)
        self._last_pose: PoseStamped | None = None
        self._last_gripper, self._last_gripper_s = math.nan, -math.inf

    def send_pose(self, pose6: ArrayLike, stamp_s: float) -> None:
        self._last_pose = convert.pose_to_msg(pose6, convert.s_to_stamp(stamp_s), self._base_frame)
        self._poses.publish(self._last_pose)

    def send_gripper(self, value: float) -> None:
        now_s = 1e-9 * self._clock.now().nanoseconds
        same = abs(value - self._last_gripper) < GRIPPER_CHANGE  # False before the first: NaN
        if same and 0.0 <= now_s - self._last_gripper_s < GRIPPER_REPEAT_S:
            return
        self._last_gripper, self._last_gripper_s = value, now_s
        low, high = self._config.gripper_open, self._config.gripper_closed
        self._grippers.publish(convert.gripper_command_to_msg(low + value * (high - low)))

    def stop(self) -> None:
        """Sends the last target once more: who follows a stream of poses rests at the last one."""
        if self._last_pose is not None:
            self._last_pose.header.stamp = self._clock.now().to_msg()
            self._poses.publish(self._last_pose)
