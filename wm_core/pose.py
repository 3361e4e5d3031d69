"""7-D end-effector states and actions, in the convention of DROID and V-JEPA 2-AC.

A state is ``[x, y, z, roll, pitch, yaw, gripper]``: metres in the robot's base frame, *extrinsic* xyz Euler angles in
radians (``R = Rz(yaw) Ry(pitch) Rx(roll)``), gripper 0 open .. 1 closed.
An action is the difference of two states: ``xyz`` subtracted, ``dR = R_next R^T`` again as extrinsic xyz Euler angles,
gripper subtracted. Euler angles are never added: that is wrong as soon as a rotation is not zero.

Every function takes arrays with any leading batch shape. The conventions are those of facebookresearch/vjepa2
(``notebooks/utils/mpc_utils.py``) and droid-dataset/droid (``transformations.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STATE_DIM = 7
#: Which of them is the gripper.
GRIPPER = STATE_DIM - 1
#: A gripper delta below this means "keep the present command", everywhere in the stack.
#: Source: V-JEPA 2-AC zeroes planned gripper deltas below 0.25 (facebookresearch/vjepa2, notebooks/utils/mpc_utils.py).
GRIPPER_DEADBAND = 0.25
ACTION_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")

#: Hand TCP seen from panda_link8 (the flange): -45 degrees about z, then 0.1034 m along z.
#: Source: frankarobotics/franka_description, end_effectors/franka_hand.
FLANGE_FROM_HAND_TCP_M_RAD: Array = np.array([0.0, 0.0, 0.1034, 0.0, 0.0, -np.pi / 4])


def euler_to_matrix(euler: ArrayLike) -> Array:
    """Extrinsic xyz Euler angles ``(..., 3)`` in radians to rotation matrices ``(..., 3, 3)``."""
    e = np.asarray(euler, dtype=np.float64)
    (cr, cp, cy), (sr, sp, sy) = np.moveaxis(np.cos(e), -1, 0), np.moveaxis(np.sin(e), -1, 0)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_euler(matrix: ArrayLike) -> Array:
    """Rotation matrices ``(..., 3, 3)`` to extrinsic xyz Euler angles ``(..., 3)``, pitch in [-pi/2, pi/2].

    At pitch = +-pi/2 only roll -+ yaw is defined; yaw is set to 0 there, so that the matrix is still reproduced.
    """
    m = np.asarray(matrix, dtype=np.float64)
    # The arcsine of -m20 alone would lose half the digits near +-pi/2.
    cos_pitch = np.hypot(m[..., 0, 0], m[..., 1, 0])
    pitch = np.arctan2(-m[..., 2, 0], cos_pitch)
    locked = cos_pitch < 1e-9
    roll = np.where(
        locked,
        np.sign(pitch) * np.arctan2(m[..., 0, 1], m[..., 1, 1]),
        np.arctan2(m[..., 2, 1], m[..., 2, 2]),
    )
    yaw = np.where(locked, 0.0, np.arctan2(m[..., 1, 0], m[..., 0, 0]))
    return np.stack([roll, pitch, yaw], axis=-1)


def quaternion_to_matrix(quaternion_xyzw: ArrayLike) -> Array:
    """Quaternions ``(..., 4)`` in ROS order (x, y, z, w) to matrices; normalised first. Raises ValueError on zero."""
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all(norm > 1e-6):
        raise ValueError("a quaternion has zero length or is not a number")
    x, y, z, w = np.moveaxis(q / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_quaternion(matrix: ArrayLike) -> Array:
    """Rotation matrices ``(..., 3, 3)`` to unit quaternions ``(..., 4)`` in ROS order (x, y, z, w), with w >= 0."""
    m = np.asarray(matrix, dtype=np.float64)
    trace = np.trace(m, axis1=-2, axis2=-1)
    # The four candidate rows are all proportional to the quaternion; the longest is the best conditioned.
    d0, d1, d2 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    off = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([1 + d0 - d1 - d2, xy, xz, off[0]], axis=-1),
            np.stack([xy, 1 - d0 + d1 - d2, yz, off[1]], axis=-1),
            np.stack([xz, yz, 1 - d0 - d1 + d2, off[2]], axis=-1),
            np.stack([off[0], off[1], off[2], 1 + trace], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(np.linalg.norm(rows, axis=-1), axis=-1)
    q = np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0, -q, q)


def rotation_angle(matrix: ArrayLike) -> Array:
    """Angle of rotation matrices ``(..., 3, 3)``, in [0, pi] rad. Exact to 1e-8 for small angles as well."""
    q = matrix_to_quaternion(matrix)
    return 2.0 * np.arctan2(np.linalg.norm(q[..., :3], axis=-1), q[..., 3])


def rotate_towards(start: ArrayLike, goal: ArrayLike, fraction: float) -> Array:
    """The rotation ``fraction`` (0..1) of the way from ``start`` to ``goal`` along the geodesic; 3x3 matrices."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(goal, dtype=np.float64)
    x, y, z, w = matrix_to_quaternion(b @ a.T)
    half = np.arctan2(np.sqrt(x * x + y * y + z * z), w)
    if half < 1e-12:
        return a.copy() if fraction < 1.0 else b.copy()
    axis = np.array([x, y, z]) / np.sin(half)
    return quaternion_to_matrix(np.append(axis * np.sin(half * fraction), np.cos(half * fraction))) @ a


def integrate(state: ArrayLike, action: ArrayLike) -> Array:
    """The state after an action: ``xyz + d``, ``R' = dR R``, gripper clipped to [0, 1]. Shapes ``(..., 7)``."""
    s, a = np.broadcast_arrays(np.asarray(state, dtype=np.float64), np.asarray(action, dtype=np.float64))
    out = s + a
    out[..., 6] = np.clip(out[..., 6], 0.0, 1.0)
    turning = np.any(a[..., 3:6] != 0.0, axis=-1)
    out[..., 3:6] = s[..., 3:6]
    if np.any(turning):
        turned = matrix_to_euler(euler_to_matrix(a[..., 3:6]) @ euler_to_matrix(s[..., 3:6]))
        out[..., 3:6] = np.where(turning[..., None], turned, s[..., 3:6])
    return out


def difference(start: ArrayLike, end: ArrayLike) -> Array:
    """The action from one state to another; the inverse of :func:`integrate` up to the gripper's clip."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    turn = euler_to_matrix(b[..., 3:6]) @ np.swapaxes(euler_to_matrix(a[..., 3:6]), -1, -2)
    return np.concatenate([b[..., :3] - a[..., :3], matrix_to_euler(turn), b[..., 6:7] - a[..., 6:7]], axis=-1)


def compose(pose: ArrayLike, offset: ArrayLike) -> Array:
    """``pose * offset``: a fixed transform applied on the tool side; both ``(..., 6)`` xyz + Euler."""
    p, o = np.asarray(pose, dtype=np.float64), np.asarray(offset, dtype=np.float64)
    turn = euler_to_matrix(p[..., 3:6])
    xyz = p[..., :3] + (turn @ o[..., :3, None])[..., 0]
    return np.concatenate([xyz, matrix_to_euler(turn @ euler_to_matrix(o[..., 3:6]))], axis=-1)


def invert(pose: ArrayLike) -> Array:
    """The inverse transform of a pose ``(..., 6)``, so that ``compose(pose, invert(pose))`` is the identity."""
    p = np.asarray(pose, dtype=np.float64)
    back = np.swapaxes(euler_to_matrix(p[..., 3:6]), -1, -2)
    return np.concatenate([-(back @ p[..., :3, None])[..., 0], matrix_to_euler(back)], axis=-1)


def tilt(euler: ArrayLike) -> Array:
    """Angle between the tool's z axis and straight down, in rad, for Euler angles ``(..., 3)``."""
    return np.arccos(np.clip(-euler_to_matrix(euler)[..., 2, 2], -1.0, 1.0))
