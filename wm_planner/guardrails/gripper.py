"""The gripper is asked for at most one full stroke, and stays between open (0) and closed (1)."""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits

from .base import Array, excess


def violation(states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Strokes by which a delta exceeds one, or a commanded closedness leaves 0..1. See :class:`Guardrail`."""
    closedness = states[:, 1:, 6]
    beyond = np.maximum(closedness - 1.0, -closedness)
    return excess(np.maximum(beyond, np.abs(actions[..., 6]) - 1.0), 0.0).max(axis=1)
