"""Any arm that follows a stream of stamped twists: MoveIt Servo (delta_twist_cmds), a Cartesian velocity controller.

A twist says how fast, not where: an arm that is only told the targets' own velocity drifts away from them. So a
proportional law on target minus measured is added, and the sum is kept within the limits of the run once more, because
the envelope of the controller bounds the targets, not what a loop makes of them.
"""

from __future__ import annotations

import math
import time

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from numpy.typing import ArrayLike
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from wm_core.limits import Limits
from wm_core.measured import driven
from wm_ros import convert, qos

from ..spatial import ZERO, Quat, Vec, add, minus, quaternion, scaled, shortened, turn_between
from .base import Arm
from .config import ArmConfig, TwistConfig
from .grippers.base import Gripper
from .topics import unheard

#: Two targets closer in time than this give no velocity; the controller's own ticks are 1 ms or more apart.
MIN_STEP_S = 1e-3

Placed = tuple[float, Vec, Quat]  # time (s), position (m), rotation


class TwistLaw:
    """From targets and measured poses to twists. Plain floats, no ROS; all times are of the steady clock.

    While the controller runs, the twist is the target's own velocity plus ``gain`` times (target - measured), at most
    the speed limits, changing no faster than the acceleration limits. In a hold, without a fresh state or after a gap
    in the targets it brakes to zero within the acceleration limits. A stop is zero at once.
    """

    def __init__(self, config: TwistConfig, limits: Limits) -> None:
        self._config, self._limits = config, limits
        self._target: Placed | None = None
        self._measured: Placed | None = None
        self._linear, self._angular = ZERO, ZERO
        self._sent_s = -math.inf

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        """The measured pose ``(6,)`` and its stamp (s)."""
        self._measured = _placed(pose6, stamp_s)

    def stop(self) -> tuple[Vec, Vec]:
        """The twist of a stop: zero at once, and from rest afterwards."""
        self._target, self._linear, self._angular = None, ZERO, ZERO
        return ZERO, ZERO

    def twist(self, pose6: ArrayLike, now_s: float, holding: bool = False) -> tuple[Vec, Vec]:
        """Velocity (m/s) and turning (rad/s), both in the base frame, for the target ``(6,)`` of this moment."""
        before, self._target = self._target, _placed(pose6, now_s)
        step_s = now_s - self._sent_s
        self._sent_s = now_s
        if not MIN_STEP_S <= step_s <= self._config.target_timeout_s or before is None:
            # The first target, or one after a gap, in which the receiver has stopped by its own timeout.
            self._linear, self._angular = ZERO, ZERO
            return ZERO, ZERO
        linear = angular = ZERO
        measured = self._measured
        if not holding and measured is not None and abs(now_s - measured[0]) <= self._limits.state_timeout_s:
            _, position, rotation = self._target
            gain = self._config.gain_per_s
            linear = add(scaled(minus(position, before[1]), 1.0 / step_s), minus(position, measured[1]), gain)
            angular = add(
                scaled(turn_between(before[2], rotation), 1.0 / step_s), turn_between(measured[2], rotation), gain
            )
        limits = self._limits
        self._linear = _towards(self._linear, shortened(linear, limits.speed_m_s), limits.accel_m_s2 * step_s)
        self._angular = _towards(
            self._angular, shortened(angular, limits.rot_speed_rad_s), limits.rot_accel_rad_s2 * step_s
        )
        return self._linear, self._angular

    def overdue(self, now_s: float) -> bool:
        """Whether the last twist was not zero and no target has followed in time."""
        moving = self._linear != ZERO or self._angular != ZERO
        return moving and not 0.0 <= now_s - self._sent_s <= self._config.target_timeout_s


class TwistStream(Arm):
    """Publishes TwistStamped in ``base_frame``, and the targets themselves for whoever records or judges them.

    The twist is that of the frame which the interface drives, in the axes of the base. The receiver must have a
    timeout of its own (MoveIt Servo: ``incoming_command_timeout``): of a process that died nobody sends the zero.
    """

    def __init__(self, node: Node, base_frame: str, config: ArmConfig, gripper: Gripper, limits: Limits) -> None:
        self._node, self._config, self._base_frame, self._gripper = node, config, base_frame, gripper
        self._law = TwistLaw(config.twist, limits)
        self._twists = node.create_publisher(TwistStamped, config.twist.topic, qos.COMMAND)
        self._poses = node.create_publisher(PoseStamped, config.pose_topic, qos.COMMAND)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # one that nobody can set or stop
        node.create_timer(config.twist.target_timeout_s / 2, self._watch, clock=steady)

    def take_state(self, pose6: ArrayLike, stamp_s: float) -> None:
        self._law.take_state(pose6, stamp_s)

    def send_pose(self, pose6: ArrayLike, now_s: float, holding: bool = False) -> None:
        linear, angular = self._law.twist(pose6, now_s, holding)
        self._publish(self._at_driven(np.asarray(pose6, dtype=np.float64), linear, angular), angular)
        self._poses.publish(convert.pose_to_msg(pose6, self._node.get_clock().now().to_msg(), self._base_frame))

    def send_gripper(self, value: float) -> None:
        self._gripper.send(value)

    def forget_gripper(self) -> None:
        self._gripper.forget()

    def stop(self) -> None:
        """Zero twist at once: the receiver's own limits decide how it brakes."""
        self._publish(*self._law.stop())
        self._gripper.stop()

    def outputs(self) -> tuple[str, ...]:
        return (self._config.twist.topic, self._config.pose_topic, *self._gripper.outputs())

    def state(self) -> str:
        return unheard(self._twists, "is the arm's controller active?") or self._gripper.state()

    def _at_driven(self, tcp: np.ndarray, linear: Vec, angular: Vec) -> Vec:
        """The velocity of the driven frame's origin when that of the TCP is ``linear``: one rigid body."""
        if not any(angular):
            return linear
        lever = driven(tcp, self._config.tcp_m_rad)[:3] - tcp[:3]
        x, y, z = (np.asarray(linear) + np.cross(angular, lever)).tolist()
        return (x, y, z)

    def _watch(self) -> None:
        if self._law.overdue(time.monotonic()):
            self._publish(*self._law.stop())

    def _publish(self, linear: Vec, angular: Vec) -> None:
        message = TwistStamped()
        message.header.stamp, message.header.frame_id = self._node.get_clock().now().to_msg(), self._base_frame
        v, w = message.twist.linear, message.twist.angular
        (v.x, v.y, v.z), (w.x, w.y, w.z) = linear, angular
        self._twists.publish(message)


def _placed(pose6: ArrayLike, time_s: float) -> Placed:
    x, y, z, roll, pitch, yaw = np.asarray(pose6, dtype=np.float64).tolist()
    return time_s, (x, y, z), quaternion(roll, pitch, yaw)


def _towards(start: Vec, goal: Vec, most: float) -> Vec:
    """From ``start`` towards ``goal`` by at most ``most``; exactly ``goal`` if that is near enough."""
    way = minus(goal, start)
    size = math.hypot(*way)
    return goal if size <= most else add(start, way, most / size)
