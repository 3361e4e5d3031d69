"""Hardwired guardrails on the *commanded* path. None can be switched off; limits can only be tightened.

They see poses integrated from the measured state, never a model's prediction, so that no model error disables them.
"""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits
from wm_core.path import integrate_path

from . import box, gripper, step, tilt
from .base import Array, Guardrail

ALL: tuple[tuple[str, Guardrail], ...] = (
    ("box", box.violation),
    ("step", step.violation),
    ("tilt", tilt.violation),
    ("gripper", gripper.violation),
)


def violations(states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Every guardrail's verdict (len(ALL), N) on states (N, H+1, 7) and actions (N, H, 7); NaN counts as infinite."""
    found = np.array([violation(states, actions, limits, step_period_s) for _, violation in ALL])
    found[np.isnan(found)] = np.inf
    return found


def binding(state: Array, actions: Array, limits: Limits, step_period_s: float) -> str:
    """Which guardrail holds back a plan (H, 7) from a measured state (7,): the one that 1 % more motion would break.

    "ok" when none does, "box" whenever the measured TCP is outside the box.
    """
    if np.any(box.beyond_faces(state[:3], limits) > 0.0):
        return "box"
    more = 1.01 * actions[None]
    found = violations(integrate_path(state, more), more, limits, step_period_s)[:, 0]
    return ALL[int(np.argmax(found))][0] if np.any(found > 0.0) else "ok"
