"""The one shape of every arm: its configuration, and the port that the controller node commands it through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from numpy.typing import ArrayLike

from wm_core.kinds import Kinds
from wm_core.limits import Limits
from wm_core.pose import Array

if TYPE_CHECKING:
    from rclpy.node import Node

ARMS: Kinds[type[ArmConfig]] = Kinds("arm", "wm_controller.arms")


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

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        """What the arm measures: TCP ``(6,)`` as in :meth:`send_pose`, and when on the steady clock, s.

        For back ends that close a loop of their own.
        """
        del pose6, stamp_s

    def state(self) -> str:
        """What keeps the arm from following, in one sentence ("nobody listens to ..."); "" if nothing is known."""
        return ""


@dataclass(frozen=True)
class ArmConfig(ABC):
    """Which arm there is, its settings, and what others must know of it.

    It is read where there is no ROS: a kind imports rclpy and messages in :meth:`make` alone. All keys are those of the
    configuration, below ``arm``, such as "twist.topic".
    """

    KINDS: ClassVar[Kinds[type[ArmConfig]]] = ARMS
    #: Whether anything moves by it.
    moves: ClassVar[bool] = True

    kind: str = "pose_stream"

    @abstractmethod
    def make(self, node: Node, base_frame: str, limits: Limits) -> Arm:
        """The arm; its publishers and action clients belong to ``node``.

        Args:
            base_frame: frame id of all that is sent.
            limits: of the run.
        Raises:
            ConfigError: a message package that the arm or its gripper needs is not installed.
        """

    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """The topics that it publishes and nobody else may, each by the key that names it."""

    def caps(self) -> tuple[str, ...]:
        """The keys of its limits that are tighter where they are lower: above a preset they may only be lowered."""
        return ()

    def fixed(self) -> tuple[str, ...]:
        """The keys of what all limits are about, such as the TCP: above a preset they may not be changed."""
        return ()

    def target_topic(self) -> str | None:
        """Where it publishes the targets as PoseStamped, for whoever judges them; None for nowhere."""
        return None

    def tcp(self, sent: Array) -> Array:
        """The TCP's pose ``(6,)``, xyz (m) + extrinsic xyz Euler (rad), that one on :meth:`target_topic` stands for."""
        return sent

    def summary(self) -> str:
        """What it is, in a few words, for who reads them before anything moves."""
        return self.kind if self.moves else f"{self.kind}: nothing moves"
