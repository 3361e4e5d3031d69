"""crisp_arm_node: the simulated cell behind the topics of a Franka that runs CRISP. A test tool.

What wm_controller sends to a real arm goes to this one unchanged, so that the real back end meets the real quirks
(utiasDSL/crisp_controllers, ``CartesianController`` with the "clipped" preset, and its Franka hand adapter):

- ``target_pose``: the frame id is ignored, quaternions are not normalised, the last target is held for ever, and every
  message is dropped while more than one publisher advertises the topic;
- the target passes a first-order filter, and the error that the impedance law sees is clipped axis by axis, in the axes
  of the tool, so the arm lags and never pushes with more than its clip;
- gripper commands and readings run from 0 closed to 1 open, and a command counts as nothing but "open" or "close";
- poses, wrenches and joints come from franka_robot_state_broadcaster, best effort; the wrench is low-passed, as is
  libfranka's estimate ``O_F_ext_hat_K``: the blow of two rigid bodies in one physics step is not what a robot reports.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState

from wm_core import pose as poses
from wm_core.errors import ConfigError
from wm_core.pose import Array
from wm_ros import qos
from wm_ros.node import run_node

from .scene import CONTROL_EVERY, HOME_POSE, TIMESTEP_S
from .sim_arm_node import SimArmConfig, SimArmNode

#: The filtered and clipped target is renewed as often as the scene's impedance law runs.
CONTROL_S = CONTROL_EVERY * TIMESTEP_S
#: The joint that CRISP's Franka hand adapter reports: the width as a share of 0.08 m.
GRIPPER_JOINT = "gripper_joint"
OPEN_ABOVE = 0.5
JOINT_NAMES = [f"fr3_joint{k}" for k in range(1, 8)]


@dataclass(frozen=True)
class CrispArmConfig(SimArmConfig):
    """Parameters of crisp_arm_node.

    ``lag_s`` and ``wrench_lag_s`` are the time constants of the filters of target and wrench; the clips are CRISP's.
    """

    rate_hz: float = 100.0
    lag_s: float = 0.05
    wrench_lag_s: float = 0.05
    error_clip_m: float = 0.01
    error_clip_rad: float = 0.08

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lag_s", "wrench_lag_s"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} = {getattr(self, name)} is outside 0..1")
        if not (0.0 < self.error_clip_m <= 1.0 and 0.0 < self.error_clip_rad <= 1.5):
            raise ConfigError("the clips must be 0 < error_clip_m <= 1 and 0 < error_clip_rad <= 1.5")


class CrispArmNode(SimArmNode):
    """See the module."""

    NAME, CONFIG = "crisp_arm", CrispArmConfig
    POSE = "franka_robot_state_broadcaster/current_pose"
    WRENCH = "franka_robot_state_broadcaster/external_wrench_in_base_frame"
    GRIPPER, GRIPPER_COMMAND = "gripper/joint_states", "gripper/gripper_position_controller/commands"
    TARGET, JOINTS = "target_pose", "franka_robot_state_broadcaster/measured_joint_states"
    config: CrispArmConfig

    def __init__(self) -> None:
        self._target_xyz, self._target_turn = HOME_POSE[:3].copy(), poses.euler_to_matrix(HOME_POSE[3:])
        self._filtered_xyz, self._filtered_turn = self._target_xyz, self._target_turn
        self._filtered_wrench = np.zeros(6)
        super().__init__()
        self._joints = self.create_publisher(JointState, self.JOINTS, qos.SENSOR)

    def _tick(self) -> None:
        super()._tick()
        msg = JointState(name=JOINT_NAMES, position=self._scene.state().joints.tolist())
        msg.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(msg)

    def _take_target(self, msg: PoseStamped) -> None:
        p, q = msg.pose.position, msg.pose.orientation
        values = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
        if not np.isfinite(values).all():  # CRISP would go on with its last torque until somebody stops it
            raise ValueError("a number is not finite, on which a real arm fails")
        self._target_xyz, self._target_turn = values[:3], unnormalised(values[3:])

    def _take_gripper(self, command: float) -> None:
        self._scene.set_gripper(0.0 if command > OPEN_ABOVE else 1.0)

    def _gripper_msg(self, closed: float, stamp: Time) -> JointState:
        msg = JointState(name=[GRIPPER_JOINT], position=[1.0 - closed], effort=[0.0])
        msg.header.stamp = stamp
        return msg

    def _advance(self, duration_s: float) -> None:
        end_s = self._scene.time_s + duration_s
        while (left_s := end_s - self._scene.time_s) > TIMESTEP_S / 2:
            self._filter_target()
            self._scene.advance(min(left_s, CONTROL_S))
            self._filtered_wrench += _share(self.config.wrench_lag_s) * (self._scene.wrench() - self._filtered_wrench)

    def _measured_wrench(self) -> Array:
        return self._filtered_wrench

    def _filter_target(self) -> None:
        """One step of the target filter, and of the clip on what is left to go."""
        c = self.config
        share = _share(c.lag_s)
        self._filtered_xyz = self._filtered_xyz + share * (self._target_xyz - self._filtered_xyz)
        self._filtered_turn = poses.rotate_towards(self._filtered_turn, self._target_turn, share)
        measured = self._scene.state().pose
        tool = poses.euler_to_matrix(measured[3:])
        error = np.clip(tool.T @ (self._filtered_xyz - measured[:3]), -c.error_clip_m, c.error_clip_m)
        turn = np.clip(_log(tool.T @ self._filtered_turn), -c.error_clip_rad, c.error_clip_rad)
        self._scene.set_target(np.concatenate([measured[:3] + tool @ error, poses.matrix_to_euler(tool @ _exp(turn))]))


def unnormalised(quaternion_xyzw: Array) -> Array:
    """The matrix ``(3, 3)`` that the textbook formula makes of a quaternion; a rotation only if its length is 1."""
    x, y, z, w = quaternion_xyzw
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _share(lag_s: float) -> float:
    """What a first-order filter of this time constant takes over in one control step."""
    return 1.0 if lag_s == 0.0 else -math.expm1(-CONTROL_S / lag_s)


def _log(matrix: Array) -> Array:
    """Rotation vector ``(3,)`` of a rotation matrix."""
    x, y, z, w = poses.matrix_to_quaternion(matrix)
    sine = math.hypot(x, y, z)
    return np.array([x, y, z]) * (2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0)


def _exp(vector: Array) -> Array:
    """The inverse of :func:`_log`."""
    angle = float(np.linalg.norm(vector))
    factor = math.sin(angle / 2) / angle if angle > 1e-12 else 0.5
    return poses.quaternion_to_matrix(np.append(vector * factor, math.cos(angle / 2)))


def main() -> None:
    sys.exit(run_node(CrispArmNode))


if __name__ == "__main__":
    main()
