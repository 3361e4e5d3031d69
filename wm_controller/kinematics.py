"""Forward kinematics of the Franka arms, how near their joints are to an end, and how near to a singular posture.

FR3 and FER (Panda) have the same geometry and different joint limits. Plain numpy, one posture at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.limits import JOINTS_RAD

Array = NDArray[np.float64]

#: Denavit-Hartenberg parameters in Craig's convention (Franka Control Interface documentation): a (m), d (m), alpha.
_DH = (
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.316, np.pi / 2),
    (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0.0, 0.0, np.pi / 2),
    (0.088, 0.0, np.pi / 2),
)
_FLANGE_M = 0.107


def frames(joints_rad: ArrayLike) -> Array:
    """Poses ``(8, 4, 4)`` of the frames of joints 1..7 and of the flange (link8) in the base frame.

    Args:
        joints_rad: (7,) joint positions.
    """
    out = np.empty((8, 4, 4))
    pose = np.eye(4)
    for k, (q, (a, d, alpha)) in enumerate(zip(np.asarray(joints_rad, dtype=np.float64).tolist(), _DH, strict=True)):
        cq, sq, ca, sa = np.cos(q), np.sin(q), np.cos(alpha), np.sin(alpha)
        pose = pose @ np.array(
            [
                [cq, -sq, 0.0, a],
                [sq * ca, cq * ca, -sa, -d * sa],
                [sq * sa, cq * sa, ca, d * ca],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
        out[k] = pose
    out[7] = pose
    out[7, :3, 3] += _FLANGE_M * pose[:3, 2]
    return out


def jacobian(joints_rad: ArrayLike) -> Array:
    """Geometric Jacobian ``(6, 7)`` of the flange in the base frame: m/s over rad/s, then rad/s over rad/s."""
    poses = frames(joints_rad)
    axes, origins = poses[:7, :3, 2], poses[:7, :3, 3]
    return np.concatenate([np.cross(axes, poses[7, :3, 3] - origins), axes], axis=1).T


def condition(joints_rad: ArrayLike) -> float:
    """Largest over smallest singular value of the Jacobian, the measure of MoveIt Servo; infinite where singular."""
    values = np.linalg.svd(jacobian(joints_rad), compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else float("inf")


def nearest_end(joints_rad: Sequence[float], robot: str) -> tuple[int, float]:
    """Which joint (1..7) of ``robot``, "fr3" or "fer", is nearest to an end, and how near in rad (< 0: past it)."""
    margins = [min(q - low, high - q) for q, (low, high) in zip(joints_rad, JOINTS_RAD[robot], strict=True)]
    nearest = min(range(7), key=margins.__getitem__)
    return nearest + 1, margins[nearest]
