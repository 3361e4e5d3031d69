"""The one shape of every gripper: its configuration, and the port that an arm commands it through."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from wm_core import install
from wm_core.errors import ConfigError
from wm_core.kinds import Kinds
from wm_core.names import check_topic
from wm_core.topics import GRIPPER_COMMAND

if TYPE_CHECKING:
    from rclpy.node import Node

GRIPPERS: Kinds[type[GripperConfig]] = Kinds("gripper", "wm_controller.arms.grippers")


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

    def state(self) -> str:
        """What keeps the gripper from following, in one sentence; "" if nothing is known."""
        return ""


@dataclass(frozen=True)
class GripperConfig(ABC):
    """Which gripper there is, its settings, and what others must know of it. As with arms, only ``make`` knows ROS."""

    KINDS: ClassVar[Kinds[type[GripperConfig]]] = GRIPPERS
    #: Whether anything moves by it.
    moves: ClassVar[bool] = True

    kind: str = "position"

    @abstractmethod
    def make(self, node: Node) -> Gripper:
        """The gripper; its publishers and action clients belong to ``node``. Raises ConfigError as an arm's does."""

    def outputs(self) -> dict[str, str]:
        """The topics that it publishes and nobody else may, each by its key. Of an action, the graph does not tell."""
        return {}

    def caps(self) -> tuple[str, ...]:
        """The keys of its limits that are tighter where they are lower: above a preset they may only be lowered."""
        return ()


@dataclass(frozen=True)
class ScaledConfig(GripperConfig):
    """A gripper whose receiver, at ``topic``, takes a number: ``open`` and ``closed`` are what it takes for the ends.

    The default is the simulator's.
    """

    topic: str = GRIPPER_COMMAND.name
    open: float = 0.0
    closed: float = 1.0

    def __post_init__(self) -> None:
        check_topic("the gripper's topic", self.topic)
        if not math.isfinite(self.open - self.closed) or self.open == self.closed:
            raise ConfigError("the gripper's open and closed must be two different finite numbers")

    def scaled(self, closedness: float) -> float:
        """What the receiver takes for 0 open .. 1 closed."""
        return self.open + closedness * (self.closed - self.open)


def lacking(kind: str, package: str) -> ConfigError:
    """What to raise where the ROS package that a kind of gripper needs is not installed."""
    return ConfigError(f"a gripper of kind '{kind}' needs the ROS package {package}: {install.ros_package(package)}")


def check_positive(name: str, value: float, most: float) -> None:
    """Raises ConfigError unless a number of the gripper is above 0 and at most ``most``."""
    if not 0.0 < value <= most:
        raise ConfigError(f"the gripper's {name} = {value} is outside 0..{most:g}")
