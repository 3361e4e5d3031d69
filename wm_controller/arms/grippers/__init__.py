"""Grippers, one per file, behind the port of base.py."""

from __future__ import annotations

from rclpy.node import Node

from wm_core.errors import ConfigError

from ..config import GripperConfig
from .base import Gripper, NoGripper


def make_gripper(node: Node, config: GripperConfig) -> Gripper:
    """The gripper that ``config`` describes. Raises ConfigError as :func:`make_arm` does."""
    if config.kind == "franka":
        from .franka import FrankaGripper

        return FrankaGripper(node, config)
    if config.kind == "robotiq":
        from .robotiq import RobotiqGripper

        return RobotiqGripper(node, config)
    if config.kind == "position":
        from .position import PositionGripper

        return PositionGripper(node, config)
    if config.kind == "none":
        return NoGripper()
    raise ConfigError(f"a gripper of kind '{config.kind}' has no back end; write one, and name it in make_gripper")
