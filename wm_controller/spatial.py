"""Vectors and rotations in plain floats.

The control law runs a hundred times a second on three numbers at a time, where a numpy call costs more than the sum it
does. Rotations are unit quaternions in ROS order (x, y, z, w), or rotation vectors (axis times angle, rad) seen from
the base frame: ``turned(q, v)`` is ``exp(v) q``. Euler angles are extrinsic xyz, as everywhere (wm_core/pose.py).
"""

from __future__ import annotations

from math import asin, atan2, copysign, cos, hypot, sin, sqrt

Vec = tuple[float, float, float]
Quat = tuple[float, float, float, float]

ZERO: Vec = (0.0, 0.0, 0.0)
IDENTITY: Quat = (0.0, 0.0, 0.0, 1.0)


def add(a: Vec, b: Vec, factor: float = 1.0) -> Vec:
    """``a + factor * b``."""
    return (a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2])


def minus(a: Vec, b: Vec) -> Vec:
    """``a - b``."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def scaled(a: Vec, factor: float) -> Vec:
    """``factor * a``."""
    return (factor * a[0], factor * a[1], factor * a[2])


def dot(a: Vec, b: Vec) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def length(a: Vec) -> float:
    """Euclidean length; no overflow for huge components."""
    return hypot(a[0], a[1], a[2])


def shortened(a: Vec, most: float) -> Vec:
    """``a``, or ``a`` scaled down to the length ``most`` >= 0."""
    size = length(a)
    return a if size <= most else scaled(a, most / size)


def quaternion(roll: float, pitch: float, yaw: float) -> Quat:
    """Quaternion of extrinsic xyz Euler angles in rad."""
    cr, sr, cp, sp = cos(roll / 2), sin(roll / 2), cos(pitch / 2), sin(pitch / 2)
    cy, sy = cos(yaw / 2), sin(yaw / 2)
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )


def euler(q: Quat) -> Vec:
    """Extrinsic xyz Euler angles in rad of a unit quaternion; of use away from pitch = +-pi/2 only."""
    x, y, z, w = q
    pitch = asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    roll = atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    return (roll, pitch, atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def turned(q: Quat, turn: Vec) -> Quat:
    """``q`` turned by the rotation vector ``turn`` about the axes of the base frame, normalised."""
    angle = length(turn)
    factor = sin(angle / 2) / angle if angle > 1e-12 else 0.5
    ax, ay, az, aw = turn[0] * factor, turn[1] * factor, turn[2] * factor, cos(angle / 2)
    x, y, z, w = q
    rx = aw * x + ax * w + ay * z - az * y
    ry = aw * y - ax * z + ay * w + az * x
    rz = aw * z + ax * y - ay * x + az * w
    rw = aw * w - ax * x - ay * y - az * z
    size = sqrt(rx * rx + ry * ry + rz * rz + rw * rw)
    return (rx / size, ry / size, rz / size, rw / size)


def turn_between(start: Quat, end: Quat) -> Vec:
    """The shortest rotation vector with ``turned(start, vector) == end``; its length is in [0, pi]."""
    x, y, z, w = end
    bx, by, bz, bw = -start[0], -start[1], -start[2], start[3]
    vec = (
        w * bx + x * bw + y * bz - z * by,
        w * by - x * bz + y * bw + z * bx,
        w * bz + x * by - y * bx + z * bw,
    )
    real = w * bw - x * bx - y * by - z * bz
    size = length(vec)
    if size < 1e-12:
        return scaled(vec, copysign(2.0, real))
    return scaled(vec, copysign(2 * atan2(size, abs(real)) / size, real))


def tool_axis(q: Quat) -> Vec:
    """The tool's z axis seen from the base frame; (0, 0, -1) points straight down."""
    x, y, z, w = q
    return (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
