"""No arm: a dry run. What would move one is shown, and nothing that moves can hear it."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import ArrayLike
from rclpy.node import Node

from wm_ros import convert, qos

from .base import Arm

#: A constant, not a setting: no preset can make it the topic of an arm.
TARGET_TOPIC = "dry_run/target_pose"


class NoArm(Arm):
    """Publishes the target TCP poses on ``TARGET_TOPIC`` of ``node``, in ``base_frame``, for whoever watches."""

    def __init__(self, node: Node, base_frame: str) -> None:
        self._base_frame = base_frame
        self._poses = node.create_publisher(PoseStamped, TARGET_TOPIC, qos.COMMAND)

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        stamp = convert.s_to_stamp(stamp_s)
        self._poses.publish(convert.pose_to_msg(np.asarray(pose6, dtype=np.float64), stamp, self._base_frame))

    def send_gripper(self, value: float) -> None:
        """No gripper is told."""

    def forget_gripper(self) -> None:
        """Nothing is due."""

    def stop(self, at_once: bool = True) -> None:
        """Nothing moves."""

    def outputs(self) -> tuple[str, ...]:
        return ()
