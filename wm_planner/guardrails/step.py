"""A step is short enough, and slow enough for the time it has."""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits

from .base import Array, excess


def max_step_m(limits: Limits, step_period_s: float) -> float:
    """The longest translation of one step."""
    return min(limits.step_m, limits.speed_m_s * step_period_s)


def max_turn_rad(limits: Limits, step_period_s: float) -> float:
    """The largest rotation of one step."""
    return min(limits.step_rad, limits.rot_speed_rad_s * step_period_s)


def length(vectors: Array) -> Array:
    """Euclidean length of vectors (..., 3)."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.sqrt(x * x + y * y + z * z)


def turn_angle(euler: Array) -> Array:
    """Angle in rad of the rotation by extrinsic xyz Euler angles (..., 3), from its quaternion."""
    half = 0.5 * euler
    (cr, cp, cy), (sr, sp, sy) = np.moveaxis(np.cos(half), -1, 0), np.moveaxis(np.sin(half), -1, 0)
    w = cr * cp * cy + sr * sp * sy
    x, y, z = sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy
    return 2.0 * np.arctan2(np.sqrt(x * x + y * y + z * z), np.abs(w))


def violation(states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Metres or radians by which any step is too long, whichever is worse. See :class:`Guardrail`."""
    worst = excess(length(actions[..., :3]), max_step_m(limits, step_period_s))
    if actions[..., 3:6].any():
        worst = np.maximum(worst, excess(turn_angle(actions[..., 3:6]), max_turn_rad(limits, step_period_s)))
    return worst.max(axis=1)
