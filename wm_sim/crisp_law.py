"""What CRISP makes of a target: its filter and its clip, and what a failing arm makes of the pull. No ROS."""

from __future__ import annotations

import math

import numpy as np

from wm_core import pose as poses
from wm_core.pose import Array

from .failures import Failures
from .scene import CONTROL_EVERY, FAR_M, TIMESTEP_S

#: The filtered and clipped target is renewed as often as the scene's impedance law runs.
CONTROL_S = CONTROL_EVERY * TIMESTEP_S


class CrispLaw:
    """CRISP's CartesianController with the "clipped" preset, above the impedance law of the scene.

    Args:
        pose: ``(6,)`` where it becomes active, and therefore its first target.
        lag_s: time constant of the target's filter.
        clip_m, clip_rad: what the impedance law sees of the way that is left, axis by axis in the axes of the tool.
        failures: of the arm below it.
    """

    def __init__(self, pose: Array, lag_s: float, clip_m: float, clip_rad: float, failures: Failures) -> None:
        self._lag_s, self._clip_m, self._clip_rad, self._failures = lag_s, clip_m, clip_rad, failures
        self._stood: Array | None = None
        self._seated = True
        self.seat(pose)

    def seat(self, pose: Array) -> None:
        """A controller that becomes active rests at the arm's pose ``(6,)``."""
        self._xyz, self._turn = pose[:3].copy(), poses.euler_to_matrix(pose[3:])
        self._filtered_xyz, self._filtered_turn = self._xyz, self._turn

    def aim(self, target: Array) -> None:
        """A target: position and quaternion xyzw ``(7,)``, the latter as it comes. Raises ValueError if not usable."""
        if not np.isfinite(target).all():  # CRISP would go on with its last torque until somebody stops it
            raise ValueError("a number is not finite, on which a real arm fails")
        if not np.abs(target).max() <= FAR_M:
            raise ValueError(f"the number {np.abs(target).max():g} is no place for this arm")
        if self._failures.controlled:
            self._xyz, self._turn = target[:3], unnormalised(target[3:])

    def pull(self, measured: Array) -> Array:
        """One control step at the measured pose ``(6,)``: the pose ``(6,)`` that the arm is drawn to."""
        failures = self._failures
        self._seated = self._seated and failures.controlled
        if failures.stands:
            self._stood = measured.copy() if self._stood is None else self._stood
            return self._stood
        self._stood = None
        if not self._seated:
            self._seated = True
            self.seat(measured)
        lag_s = failures.value("lag")
        share = filter_share(self._lag_s if lag_s is None else lag_s)
        self._filtered_xyz = self._filtered_xyz + share * (self._xyz - self._filtered_xyz)
        self._filtered_turn = poses.rotate_towards(self._filtered_turn, self._turn, share)
        tool = poses.euler_to_matrix(measured[3:])
        way = tool.T @ _short_of(self._filtered_xyz - measured[:3], failures.value("friction"))
        way = tool @ np.clip(way, -self._clip_m, self._clip_m)
        if (load_m := failures.value("sinks")) is not None:
            way[2] -= load_m
        turn = np.clip(_log(tool.T @ self._filtered_turn), -self._clip_rad, self._clip_rad)
        return np.concatenate([measured[:3] + way, poses.matrix_to_euler(tool @ _exp(turn))])

    def push(self, measured: Array) -> Array:
        """The force ``(3,)`` in N, base frame, that a blocked arm reports: against the way to its target."""
        force_n = self._failures.value("blocked")
        way = measured[:3] - self._xyz
        length = float(np.linalg.norm(way))
        return np.zeros(3) if force_n is None or length < 1e-3 else way * (force_n / length)


def filter_share(lag_s: float) -> float:
    """What a first-order filter of this time constant takes over in one control step."""
    return 1.0 if lag_s == 0.0 else -math.expm1(-CONTROL_S / lag_s)


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


def _short_of(way: Array, friction_m: float | None) -> Array:
    """What friction leaves of a way: nothing within ``friction_m``, that much less beyond."""
    length = float(np.linalg.norm(way))
    return way if friction_m is None else way * max(0.0, 1.0 - friction_m / max(length, 1e-9))


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
