"""The port to an arm: all that the controller node asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from numpy.typing import ArrayLike


class Arm(ABC):
    """Sends what the controller commands. It limits nothing and decides nothing: the targets are safe already."""

    @abstractmethod
    def send_pose(self, pose6: ArrayLike, stamp_s: float) -> None:
        """Send the target of this tick.

        Args:
            pose6: (6,) TCP in the base frame, xyz (m) + extrinsic xyz Euler (rad).
            stamp_s: time of the tick, s.
        """

    @abstractmethod
    def send_gripper(self, value: float) -> None:
        """Send the gripper command, 0 open .. 1 closed. Called at each tick; a back end sends on when it must."""

    @abstractmethod
    def stop(self) -> None:
        """A stop was latched: bring the arm to rest by the strongest means that this interface has."""
