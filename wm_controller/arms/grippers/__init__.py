"""Grippers, one per file, behind the port of base.py."""

from __future__ import annotations

from rclpy.node import Node

from ..config import GripperConfig
from .base import Gripper, NoGripper


def make_gripper(node: Node, config: GripperConfig) -> Gripper:
    """The gripper that ``config`` describes. Raises ConfigError if a message package that it needs is not installed."""
    if config.kind == "franka":
        from .franka import FrankaGripper

        return FrankaGripper(node, config)
    if config.kind == "robotiq":
        from .robotiq import RobotiqGripper

        return RobotiqGripper(node, config)
    if config.kind == "position":
        from .position import PositionGripper

        return PositionGripper(node, config)
    return NoGripper()
