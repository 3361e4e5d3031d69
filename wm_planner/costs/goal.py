"""Distance of the imagined latents to the goal's, by the model's own energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dynamics import Dynamics
from .base import Array


@dataclass(frozen=True)
class GoalEnergy:
    """Energy to ``goal`` (T, C) after the last step ("final"), or averaged over the steps ("cumulative").

    V-JEPA 2-AC (arXiv 2506.09985) uses the final latent; EB-JEPA found the sum over the rollout better on Two Rooms.
    ``final_weight`` is the last step's weight in the average where every other step's is 1.
    """

    model: Dynamics
    goal: NDArray[Any]
    mode: str = "final"
    final_weight: float = 1.0

    def __call__(self, latents: NDArray[Any], actions: Array) -> Array:
        """See :class:`Cost`. Raises ValueError if the model's energies are not one per candidate and step."""
        weights = np.ones(latents.shape[1])
        weights[-1] = self.final_weight
        if self.mode == "final":
            latents, weights = latents[:, -1:], np.ones(1)
        energies = np.asarray(self.model.energy(latents, self.goal), dtype=np.float64)
        if energies.shape != latents.shape[:2]:
            raise ValueError(f"the model's energies have shape {energies.shape}, not {latents.shape[:2]}")
        return energies @ (weights / weights.sum())
