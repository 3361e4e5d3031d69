"""The port to a gripper."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Gripper(ABC):
    """Opens and closes. What it holds it goes on holding, also when the arm is stopped: a dropped object is a danger.

    The first command, and the first after :meth:`forget`, says what the gripper is doing already (the controller seats
    it at the measured value), so it starts no motion: told to go to the width that it measures, a hand would stop
    squeezing what it holds.
    """

    @abstractmethod
    def send(self, value: float) -> None:
        """The command of this tick, 0 open .. 1 closed; only while the controller runs.

        Nothing goes to the hardware at other times, and of this no more than it needs.
        """

    @abstractmethod
    def forget(self) -> None:
        """Drop what is due and has not begun, and the last command: a person may have moved the fingers meanwhile."""

    @abstractmethod
    def stop(self) -> None:
        """A stop was latched: end a motion of the fingers that has not ended, without letting go of anything.

        It is not begun again afterwards.
        """

    def outputs(self) -> tuple[str, ...]:
        """The topics that nobody else may publish. Of an action's clients, the graph does not tell."""
        return ()

    def state(self) -> str:
        """What keeps the gripper from following, in one sentence; "" if nothing is known."""
        return ""


class NoGripper(Gripper):
    """An arm without one, or with one that somebody else operates."""

    def send(self, value: float) -> None:
        del value

    def forget(self) -> None:
        """Nothing is due."""

    def stop(self) -> None:
        """Nothing moves."""
