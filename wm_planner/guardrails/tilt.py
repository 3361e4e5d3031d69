"""The tool points down, give or take the tilt limit. From beyond the limit it may only come back."""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits

from .base import Array, excess


def tilt_angle(euler: Array) -> Array:
    """Angle in rad between the tool's z axis and straight down for extrinsic xyz Euler angles (..., 3).

    The same as ``wm_core.pose.tilt``, but exact near 0 as well: the arccosine there loses half of the digits, which
    would turn a tilt limit of 0 into a lottery.
    """
    roll, pitch = euler[..., 0], euler[..., 1]
    aside, up = np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)
    return np.arctan2(np.hypot(np.sin(pitch), aside), -up)


def violation(states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Radians by which any step tilts the tool beyond the limit and beyond the pose before. See :class:`Guardrail`."""
    if np.array_equal(states[:, 1:, 3:5], states[:, :-1, 3:5]):
        return np.zeros(len(states))  # Roll and pitch alone decide on the tilt.
    angle = tilt_angle(states[..., 3:6])
    return excess(angle[:, 1:], np.maximum(angle[:, :-1], limits.tilt_rad)).max(axis=1)
