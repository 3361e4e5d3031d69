"""The one shape of every guardrail."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import Limits

Array = NDArray[np.float64]

#: A nanometre or a nanoradian: what rounding may add to a pose that was clipped exactly to a limit.
ROUNDING = 1e-9


class Guardrail(Protocol):
    """By how much candidates break one limit, at worst along their path.

    ``states`` (N, H+1, 7) are the commanded TCP states, entry 0 the measured one; ``actions`` (N, H, 7) lead from each
    to the next, one every ``step_period_s``. Returns (N,), metres, radians or strokes; 0 is feasible, NaN never is.
    """

    def __call__(self, states: Array, actions: Array, limits: Limits, step_period_s: float) -> Array: ...


def excess(value: Array, allowed: Array | float) -> Array:
    """How far ``value`` lies above ``allowed``, 0 within rounding."""
    return np.maximum(value - allowed - ROUNDING, 0.0)
