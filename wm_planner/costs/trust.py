"""A price on leaving the proposal: far from what was ever done, the predictor's word is worth less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .base import Array, Candidates, Cost, check_weight


@dataclass(frozen=True)
class Trust(Cost):
    """The mean squared distance to the proposed actions, in units of the model's largest action; 0 without a proposal.

    ``weight`` is the price of leaving it by the largest action in one dimension, as a share of the energy to the goal.
    Far from a goal the energy is nearly flat, and small differences of it mean little.
    """

    needs_proposal: ClassVar[bool] = True

    kind: str = "trust"
    weight: float = 0.5

    def __post_init__(self) -> None:
        check_weight("weight", self.weight)

    def __call__(self, candidates: Candidates) -> Array:
        """See :class:`Cost`."""
        actions, query, scale = candidates.actions, candidates.query, candidates.space.high
        if query.proposed is None or query.proposed.actions is None:
            return np.zeros(len(actions))
        mean = query.proposed.actions
        steps = min(actions.shape[1], len(mean))
        away = actions[:, :steps] - mean[:steps]
        free = scale > 0.0
        away = away[..., free] / scale[free]
        return (self.weight * query.goal_energy) * np.mean(np.sum(away * away, axis=-1), axis=-1)


KIND = Trust
