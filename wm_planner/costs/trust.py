"""A price on leaving the learned proposal: far from what was ever done, the predictor's word is worth less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Array


@dataclass(frozen=True)
class Trust:
    """``weight`` times the mean squared distance to ``mean`` (H, 7), in units of ``scale`` (7,); pinned ones are 0."""

    weight: float
    mean: Array
    scale: Array

    def __call__(self, latents: NDArray[Any], actions: Array) -> Array:
        """See :class:`Cost`."""
        steps = min(actions.shape[1], len(self.mean))
        away = actions[:, :steps] - self.mean[:steps]
        free = self.scale > 0.0
        away = away[..., free] / self.scale[free]
        return self.weight * np.mean(np.sum(away * away, axis=-1), axis=-1)
