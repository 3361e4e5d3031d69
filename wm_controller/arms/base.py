"""The port to an arm: all that the controller node asks of one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from numpy.typing import ArrayLike


class Arm(ABC):
    """Sends what the controller commands. It decides nothing: the targets are safe already."""

    @abstractmethod
    def send_pose(self, pose6: ArrayLike, now_s: float, stamp_s: float, holding: bool = False) -> None:
        """Send the target of this tick.

        Args:
            pose6: (6,) TCP in the base frame, xyz (m) + extrinsic xyz Euler (rad).
            now_s: time of the tick on the steady clock, s.
            stamp_s: the same moment on the ROS clock, s: who follows or judges a stream by its stamps must see the
                times that the targets were made for, not those at which they were sent.
            holding: whether the controller is in any mode but "running"; a back end that closes a loop of its own
                brakes to rest then.
        """

    @abstractmethod
    def send_gripper(self, value: float) -> None:
        """Send the gripper command, 0 open .. 1 closed. Called at each tick while the controller runs, and only then.

        A back end sends on what it must.
        """

    @abstractmethod
    def forget_gripper(self) -> None:
        """Begin anew with the gripper: what was due is not sent any more, and the next command starts no motion."""

    def rest(self, now_s: float) -> None:
        """No target any more, until the next :meth:`send_pose`. Called at each tick that commands nothing.

        For back ends whose last message would go on moving the arm. ``now_s``: time of the tick, s, steady.
        """
        del now_s

    @abstractmethod
    def stop(self, at_once: bool = True) -> None:
        """A stop or a fault was latched. The gripper stops.

        ``at_once``: bring the arm to rest by the strongest means that this interface has, but to no old place: somebody
        may have moved it. Else, after a fault, the targets that follow brake it within the limits.
        """

    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The topics that nobody else may publish."""

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        """What the arm measures: TCP ``(6,)`` as in :meth:`send_pose`, and when on the steady clock, s.

        For back ends that close a loop of their own.
        """
        del pose6, stamp_s

    def state(self) -> str:
        """What keeps the arm from following, in one sentence ("nobody listens to ..."); "" if nothing is known."""
        return ""
