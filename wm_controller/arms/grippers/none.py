"""An arm without a gripper, or with one that somebody else operates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import Gripper, GripperConfig

if TYPE_CHECKING:
    from rclpy.node import Node


@dataclass(frozen=True)
class NoGripperConfig(GripperConfig):
    """Nothing is told, so there is nothing to set."""

    moves: ClassVar[bool] = False

    kind: str = "none"

    def make(self, node: Node) -> NoGripper:
        """See :meth:`GripperConfig.make`."""
        return NoGripper()


class NoGripper(Gripper):
    """Does nothing."""

    def send(self, value: float) -> None:
        """Nobody is told."""

    def forget(self) -> None:
        """Nothing is due."""

    def stop(self) -> None:
        """Nothing moves."""


KIND = NoGripperConfig
