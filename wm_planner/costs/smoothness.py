"""A small price on changing one's mind from step to step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Array


@dataclass(frozen=True)
class Smoothness:
    """``weight`` times the mean squared change of the translation between steps, in units of ``step_m``."""

    weight: float
    step_m: float

    def __call__(self, latents: NDArray[Any], actions: Array) -> Array:
        """See :class:`Cost`."""
        if actions.shape[1] < 2 or self.step_m <= 0.0:
            return np.zeros(len(actions))
        change = np.diff(actions[..., :3], axis=1) / self.step_m
        return self.weight * np.mean(np.sum(change * change, axis=-1), axis=-1)
