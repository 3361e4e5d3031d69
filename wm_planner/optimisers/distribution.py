"""What the cross-entropy method fits: a Gaussian over motion, and a categorical over the gripper's levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..action_space import GRIPPER, ActionSpace
from ..path import samples_fastest

Array = NDArray[np.float64]

#: Share of gripper draws that stay uniform, so that no level is ever ruled out.
EXPLORATION = 0.1


class ActionDistribution:
    """Independent over steps and dimensions: mean and std (H, 7) of the continuous ones, odds (H, L) of the levels.

    The gripper opens and closes, it does not glide: a Gaussian that averages "open" and "close" asks for neither.
    JEPA-WMs (arXiv 2512.24497) names the separate treatment as an open need.
    """

    def __init__(self, space: ActionSpace, mean: Array, std: Array) -> None:
        self.space, self.mean, self.std = space, mean.copy(), std
        count = 0 if space.levels is None else len(space.levels)
        self.odds = np.full((len(mean), count), 1.0 / max(count, 1))

    def lean_to(self, actions: Array) -> None:
        """Draw the gripper levels of ``actions`` (H, 7) as often as all others together."""
        if self.space.levels is not None:
            same = actions[:, GRIPPER, None] == self.space.levels
            self.odds = 0.5 * same + 0.5 / len(self.space.levels)

    def sample(self, normals: NDArray[Any], uniforms: NDArray[Any]) -> Array:
        """Candidates (N, H, 7) from normals (N, H, number of continuous dimensions) and uniforms (N, H)."""
        free = self.space.continuous
        actions = samples_fastest(*normals.shape[:2])
        actions[:] = self.mean
        actions[..., free] += self.std[:, free] * normals
        if self.space.levels is not None:
            bounds = np.cumsum(self.odds, axis=1)[:, :-1]
            drawn = sum((uniforms >= bound for bound in bounds.T), start=np.zeros(uniforms.shape, dtype=np.intp))
            actions[..., GRIPPER] = self.space.levels[drawn]
        return actions

    def fit(self, elites: Array, momentum: float, least_std: Array) -> None:
        """Move towards the elites (K, H, 7), keeping ``momentum`` (0..1) of what was."""
        centre = elites.sum(axis=0) / len(elites)
        away = elites - centre
        spread = np.sqrt((away * away).sum(axis=0) / len(elites))
        self.mean = momentum * self.mean + (1.0 - momentum) * centre
        self.std = np.maximum(momentum * self.std + (1.0 - momentum) * spread, least_std)
        if self.space.levels is not None:
            share = (elites[..., GRIPPER, None] == self.space.levels).mean(axis=0)
            share = (1.0 - EXPLORATION) * share + EXPLORATION / len(self.space.levels)
            self.odds = momentum * self.odds + (1.0 - momentum) * share

    def centre(self) -> Array:
        """The mean motion with the likeliest gripper level at each step (H, 7)."""
        actions = self.mean.copy()
        if self.space.levels is not None:
            actions[:, GRIPPER] = self.space.levels[np.argmax(self.odds, axis=1)]
        return actions
