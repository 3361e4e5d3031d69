"""Distance of the imagined latents to the goal's, by the model's own energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wm_core.errors import ConfigError
from wm_models.imagination.base import GOAL

from .base import Array, Candidates, Cost

MODES = ("final", "cumulative")


@dataclass(frozen=True)
class Goal(Cost):
    """Energy to the goal after the last step ("final"), or averaged over the steps ("cumulative").

    V-JEPA 2-AC (arXiv 2506.09985) uses the final latent; EB-JEPA found the sum over the rollout better on Two Rooms.
    ``final_weight`` is the last step's weight in the average where every other step's is 1.
    """

    READ_IF: ClassVar = {"final_weight": ("mode", ("cumulative",))}

    kind: str = "goal"
    mode: str = "final"
    final_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"mode = '{self.mode}' must be 'final' or 'cumulative'")
        if not 0.0 < self.final_weight < np.inf:
            raise ConfigError(f"final_weight = {self.final_weight} must be a finite number above 0")

    @property
    def terms(self) -> tuple[str, ...]:
        """See :class:`Cost`."""
        return (GOAL,)

    def __call__(self, candidates: Candidates) -> Array:
        """See :class:`Cost`."""
        energies = candidates.terms[GOAL]
        if self.mode == "final":
            return energies[:, -1]
        weights = np.ones(energies.shape[1])
        weights[-1] = self.final_weight
        return energies @ (weights / weights.sum())


KIND = Goal
