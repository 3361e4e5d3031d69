"""A dry run: what would move an arm is shown, and nothing that moves can hear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from numpy.typing import ArrayLike

from wm_core.limits import Limits
from wm_core.topics import DRY_TARGET

from .base import Arm, ArmConfig

if TYPE_CHECKING:
    from rclpy.node import Node

    from wm_ros.commands import Poses


@dataclass(frozen=True)
class DryRunConfig(ArmConfig):
    """It has no settings, so whatever a preset says of its arm is not read."""

    moves: ClassVar[bool] = False

    kind: str = "dry_run"

    def make(self, node: Node, base_frame: str, limits: Limits) -> DryRun:
        """See :meth:`ArmConfig.make`."""
        from wm_ros.commands import Poses

        return DryRun(Poses(node, DRY_TARGET.name, base_frame))

    def outputs(self) -> dict[str, str]:
        """None: nobody is commanded."""
        return {}


class DryRun(Arm):
    """Sends the target TCP poses to ``poses``, for whoever watches."""

    def __init__(self, poses: Poses) -> None:
        self._poses = poses

    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        self._poses.send(pose6, stamp_s)

    def send_gripper(self, value: float) -> None:
        """No gripper is told."""

    def forget_gripper(self) -> None:
        """Nothing is due."""

    def stop(self, at_once: bool = True) -> None:
        """Nothing moves."""


KIND = DryRunConfig
