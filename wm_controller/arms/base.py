"""The port to an arm: all that the controller node asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from numpy.typing import ArrayLike


class Arm(ABC):
    """Sends what the controller commands. It decides nothing: the targets are safe already."""

    @abstractmethod
    def send_pose(self, pose6: ArrayLike, stamp_s: float, holding: bool = False) -> None:
        """Send the target of this tick.

        Args:
            pose6: (6,) TCP in the base frame, xyz (m) + extrinsic xyz Euler (rad).
            stamp_s: time of the tick, s.
            holding: whether the controller is in any mode but "running"; a back end that closes a loop of its own
                brakes to rest then.
        """

    @abstractmethod
    def send_gripper(self, value: float, holding: bool = False) -> None:
        """Send the gripper command, 0 open .. 1 closed. Called at each tick; a back end sends on when it must.

        ``holding`` as in :meth:`send_pose`: no motion of the fingers is begun then.
        """

    @abstractmethod
    def stop(self) -> None:
        """A stop was latched: bring the arm to rest by the strongest means that this interface has."""

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        """What the arm measures: TCP ``(6,)`` as in :meth:`send_pose`. For back ends that close a loop of their own."""
        del pose6, stamp_s

    def rival(self) -> str:
        """Who else commands this arm, in one sentence that names them; "" if nobody does."""
        return ""

    def state(self) -> str:
        """What keeps the arm from following, in one sentence ("nobody listens to ..."); "" if nothing is known."""
        return ""
