"""The TCP stays in the workspace box, whose lower face is the floor. From outside it may only come closer."""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits

from .base import Array, excess


def beyond_faces(positions: Array, limits: Limits) -> Array:
    """How far positions (..., 3) lie beyond each of the six faces (..., 6), in metres; 0 inside."""
    low, high = np.asarray(limits.box_min_m), np.asarray(limits.box_max_m)
    return np.maximum(np.concatenate([low - positions, positions - high], axis=-1), 0.0)


def violation(states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Metres by which any step moves further beyond any face than the pose before it. See :class:`Guardrail`."""
    beyond = beyond_faces(states[..., :3], limits)
    return excess(beyond[:, 1:], beyond[:, :-1]).max(axis=(1, 2))
