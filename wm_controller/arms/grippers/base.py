"""The port to a gripper."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Gripper(ABC):
    """Opens and closes. What it holds it goes on holding, also when the arm is stopped: a dropped object is a danger.

    The first command says what the gripper is doing already (the controller seats it at the measured value), so it
    starts no motion: told to go to the width that it measures, a hand would stop squeezing what it holds.
    """

    @abstractmethod
    def send(self, value: float, holding: bool = False) -> None:
        """The command of this tick, 0 open .. 1 closed. Sent on to the hardware only when it must be.

        ``holding``: whether the controller is in any mode but "running"; no motion is begun then.
        """

    @abstractmethod
    def stop(self) -> None:
        """A stop was latched: end a motion of the fingers that has not ended, without letting go of anything."""

    def rival(self) -> str:
        """Who else commands this gripper, in one sentence that names them; "" if nobody does."""
        return ""

    def state(self) -> str:
        """What keeps the gripper from following, in one sentence; "" if nothing is known."""
        return ""


class NoGripper(Gripper):
    """An arm without one, or with one that somebody else operates."""

    def send(self, value: float, holding: bool = False) -> None:
        del value, holding

    def stop(self) -> None:
        """Nothing moves."""
