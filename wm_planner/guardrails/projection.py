"""Bring candidates to where the guardrails allow them, so that sampling is never wasted on the forbidden.

A convenience of the search and not a guardrail: the guardrails look at what comes out of here as at anything else.
"""

from __future__ import annotations

import numpy as np

from wm_core.limits import Limits
from wm_core.pose import integrate

from .base import Array
from .step import length, max_step_m, max_turn_rad, turn_angle
from .tilt import tilt_angle


def make_feasible(state: Array, actions: Array, limits: Limits, step_period_s: float) -> Array:
    """Actions (N, H, 7) from a measured state (7,), shortened and clipped into the limits; a new array.

    Every component only ever shrinks towards 0, so that pinned dimensions stay pinned and ranges stay kept.
    """
    out = actions.copy(order="K")
    xyz, turn = out[..., :3], out[..., 3:6]
    _shorten(xyz, length(xyz), max_step_m(limits, step_period_s))
    _into_box(state[:3], xyz, limits)
    if turn.any():
        _shorten(turn, length(turn), max_turn_rad(limits, step_period_s))
        if turn[..., :2].any():
            # About several axes, the Euler vector's length is the angle to second order only: approach it.
            for _ in range(3):
                _shorten(turn, turn_angle(turn), max_turn_rad(limits, step_period_s))
            _upright(state, out, limits)
    return out


def _shorten(vectors: Array, lengths: Array, longest: float) -> None:
    scale = longest / np.maximum(lengths, longest if longest > 0.0 else 1.0)
    vectors *= scale[..., None]


def _into_box(position: Array, steps: Array, limits: Limits) -> None:
    low, high = np.asarray(limits.box_min_m), np.asarray(limits.box_max_m)
    for k in range(steps.shape[1]):
        # Widened to where the TCP is: from outside the box the way back is open, the way out is not.
        target = np.maximum(position + steps[:, k], np.minimum(low, position))
        target = np.minimum(target, np.maximum(high, position))
        steps[:, k] = target - position
        position = position + steps[:, k]


def _upright(state: Array, actions: Array, limits: Limits) -> None:
    states = np.broadcast_to(state, (len(actions), state.shape[-1]))
    for k in range(actions.shape[1]):
        after = integrate(states, actions[:, k])
        leaning = tilt_angle(after[:, 3:6]) > np.maximum(tilt_angle(states[:, 3:6]), limits.tilt_rad)
        if leaning.any():
            # A turn about the vertical is left, for it cannot tilt the tool.
            actions[leaning, k, 3:5] = 0.0
            after = integrate(states, actions[:, k])
        states = after
