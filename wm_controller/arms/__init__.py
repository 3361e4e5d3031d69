"""Arm back ends, one per file, behind the port of base.py; grippers/ holds what opens and closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wm_core.errors import ConfigError
from wm_core.limits import Limits

from .base import Arm
from .config import ArmConfig, GripperConfig, TwistConfig

if TYPE_CHECKING:
    from rclpy.node import Node

__all__ = ["Arm", "ArmConfig", "GripperConfig", "TwistConfig", "make_arm"]


def make_arm(node: Node, base_frame: str, config: ArmConfig, limits: Limits | None = None) -> Arm:
    """The arm that ``config`` describes; its publishers and action clients belong to ``node``.

    Args:
        base_frame: frame id of all that is sent.
        limits: of the run, which bound a twist stream; None: the defaults of :class:`Limits`.
    Raises:
        ConfigError: a message package that the arm or its gripper needs is not installed, or nobody wrote that kind.
    """
    # A configuration can be read where there is no ROS.
    from .grippers import make_gripper
    from .none import NoArm
    from .pose_stream import PoseStream
    from .twist_stream import TwistStream

    if config.kind == "none":
        return NoArm(node, base_frame)
    if config.kind == "pose_stream":
        return PoseStream(node, base_frame, config, make_gripper(node, config.gripper))
    if config.kind == "twist_stream":
        limits = Limits() if limits is None else limits
        return TwistStream(node, base_frame, config, make_gripper(node, config.gripper), limits)
    raise ConfigError(f"an arm of kind '{config.kind}' has no back end; write one, and name it in make_arm")
