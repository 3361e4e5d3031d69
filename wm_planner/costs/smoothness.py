"""A small price on changing one's mind from step to step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Array, Candidates, Cost, check_weight


@dataclass(frozen=True)
class Smoothness(Cost):
    """The mean squared change of the translation between steps, in units of the longest step that the limits allow.

    ``weight`` is in units of energy.
    """

    kind: str = "smoothness"
    weight: float = 0.01

    def __post_init__(self) -> None:
        check_weight("weight", self.weight)

    def __call__(self, candidates: Candidates) -> Array:
        """See :class:`Cost`."""
        actions, step_m = candidates.actions, candidates.limits.step_m
        if actions.shape[1] < 2 or step_m <= 0.0:
            return np.zeros(len(actions))
        change = np.diff(actions[..., :3], axis=1) / step_m
        return self.weight * np.mean(np.sum(change * change, axis=-1), axis=-1)


KIND = Smoothness
