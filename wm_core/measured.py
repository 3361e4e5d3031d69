"""What an arm's drivers report, and how this stack reads it: topics, gripper scale, and where the TCP is.

The one place where the units and frames of other people's drivers become ours: TCP pose in the base frame, gripper
0 open .. 1 closed. Planner and controller read the same declaration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import topics
from .errors import ConfigError, quoted
from .names import check_topic
from .pose import Array, compose, invert

Pose6 = tuple[float, float, float, float, float, float]

#: How the robot tells its mode and errors: franka_msgs/FrankaRobotState, or the same facts as JSON in a String, for
#: robots and stand-ins without that package. See wm_ros/franka_state.py.
ROBOT_FORMATS = ("franka", "json")

#: No transform: what is reported is the TCP.
SAME: Pose6 = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class GripperScale:
    """Reads a gripper's JointState: the positions of ``joints`` are added, ``open`` and ``closed`` are the two ends.

    Franka hand: two fingers, 0.08 m open to 0 m closed. Robotiq 2F-85: one knuckle, 0 rad open to about 0.8 rad closed.
    The default is the stack's own convention. Raises ConfigError where the ends are not two different numbers.
    """

    joints: tuple[str, ...] = ("gripper",)
    open: float = 0.0
    closed: float = 1.0
    slack: float = 0.01  # how far beyond its ends the sensor may read, as a share of the range

    def __post_init__(self) -> None:
        if not self.joints:
            raise ConfigError("the measured gripper needs the name of at least one joint")
        if not math.isfinite(self.open - self.closed) or self.open == self.closed:
            raise ConfigError("the measured gripper's open and closed must be two different finite numbers")
        if not 0.0 <= self.slack <= 0.2:
            raise ConfigError(f"the measured gripper's slack = {self.slack} is outside 0..0.2")

    def closedness(self, names: Sequence[str], positions: Sequence[float]) -> float | None:
        """0 open .. 1 closed from a JointState's names and positions (m or rad).

        None if it lacks one of the joints: then it is about something else, such as the arm on a shared topic. Raises
        ValueError, which says why, if it is about the gripper and cannot be read.
        """
        names = list(names)
        if any(joint not in names for joint in self.joints):
            return None
        if len(names) != len(positions):
            raise ValueError(f"the gripper's JointState has {len(names)} names and {len(positions)} positions")
        if twice := [joint for joint in self.joints if names.count(joint) > 1]:
            raise ValueError(f"the gripper's JointState has the joint {quoted(twice[0])} twice; give each its own name")
        reading = sum(positions[names.index(joint)] for joint in self.joints)
        if not math.isfinite(reading):
            raise ValueError(f"the gripper reads {reading}, which is no number; look at its driver")
        closed = (reading - self.open) / (self.closed - self.open)
        if not -self.slack <= closed <= 1.0 + self.slack:
            raise ValueError(
                f"the gripper reads {reading:.4g}, outside {self.open:g} (open) .. {self.closed:g} (closed); home it, "
                "or mend open and closed"
            )
        return min(max(closed, 0.0), 1.0)


@dataclass(frozen=True)
class MeasuredConfig:
    """Topics and readings of one arm. The default is the simulator's. Raises ConfigError on a pose that is no number.

    ``tcp_m_rad`` is the TCP seen from the frame whose pose is reported: m and extrinsic xyz Euler rad.
    """

    pose_topic: str = topics.POSE.name
    wrench_topic: str = topics.WRENCH.name
    gripper_topic: str = topics.GRIPPER.name
    joints_topic: str = "arm/joints"  # JointState; only where joint limits are watched
    joint_prefix: str | None = None  # of joint1..joint7, where two arms report on that topic; None: whatever it is
    robot_topic: str = "arm/robot_state"
    robot_format: str = "franka"  # one of ROBOT_FORMATS; "franka" only where franka_msgs is installed
    shared_topics: tuple[str, ...] = ()  # of these, what several nodes publish on purpose, such as joint_states
    tcp_m_rad: Pose6 = SAME
    gripper: GripperScale = field(default_factory=GripperScale)

    def __post_init__(self) -> None:
        check_pose("measured tcp_m_rad", self.tcp_m_rad)
        for name in ("pose", "wrench", "gripper", "joints", "robot"):
            check_topic(f"{name}_topic", getattr(self, f"{name}_topic"))
        # The pose is the arm's alone: two who report it can only be a mistake.
        may = (self.wrench_topic, self.gripper_topic, self.joints_topic, self.robot_topic)
        for topic in self.shared_topics:
            if topic not in may:
                raise ConfigError(f"shared_topics has {quoted(topic)}, which is none of {', '.join(may)}")
        if self.robot_format not in ROBOT_FORMATS:
            raise ConfigError(f"robot_format {quoted(self.robot_format)} is not one of {', '.join(ROBOT_FORMATS)}")

    def tcp(self, reported: Array) -> Array:
        """The TCP's pose ``(6,)`` in the base frame from the reported one ``(6,)``."""
        return reported if self.tcp_m_rad == SAME else compose(reported, self.tcp_m_rad)


def driven(target: Array, tcp_m_rad: Pose6) -> Array:
    """The pose ``(6,)`` of the frame that an interface drives, which brings the TCP to ``target`` ``(6,)``.

    ``tcp_m_rad`` is the TCP seen from that frame; both poses in the base frame, m and extrinsic xyz Euler rad.
    """
    return target if tcp_m_rad == SAME else compose(target, invert(tcp_m_rad))


def check_pose(name: str, pose: Sequence[float]) -> None:
    """Raises ConfigError unless ``pose`` is finite, within an arm's reach (1 m), and turned by less than two turns.

    So lengths in mm and angles in degrees are found out.
    """
    if not all(math.isfinite(value) for value in pose):
        raise ConfigError(f"{name} = {tuple(pose)} is not finite")
    if math.hypot(*pose[:3]) > 1.0:
        raise ConfigError(f"{name} = {tuple(pose)} lies more than 1 m away; its first three numbers are metres")
    if max(abs(angle) for angle in pose[3:]) > 2.0 * math.pi:
        raise ConfigError(f"{name} = {tuple(pose)} turns by more than 2 pi; are its last three in degrees? Use rad")
