"""What the cross-entropy method fits: a Gaussian over motion, and a categorical over the gripper's levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.path import samples_fastest
from wm_core.pose import GRIPPER

from ..action_space import ActionSpace

Array = NDArray[np.float64]

#: Share of gripper draws that stay uniform, so that no level is ever ruled out.
EXPLORATION = 0.1


class ActionDistribution:
    """Independent over steps and dimensions: mean and std (H, 7) of the motion, odds (H, L) of the gripper's levels.

    The gripper opens and closes, it does not glide: a Gaussian that averages "open" and "close" asks for neither.
    JEPA-WMs (arXiv 2512.24497) names the separate treatment as an open need. With ``levels`` False, or where the model
    has none, it is a Gaussian all the same, and whoever projects a draw takes the nearest level.
    """

    def __init__(self, space: ActionSpace, mean: Array, std: Array, levels: bool = True) -> None:
        self.mean, self.std = mean.copy(), std
        self._levels = space.levels if levels else None
        free = [*space.continuous, *([GRIPPER] if self._levels is None and space.levels is not None else [])]
        #: The dimensions that are Gaussian.
        self.continuous = np.array(free, dtype=np.intp)
        count = 0 if self._levels is None else len(self._levels)
        self.odds = np.full((len(mean), count), 1.0 / max(count, 1))

    def lean_to(self, actions: Array) -> None:
        """Draw the gripper levels of ``actions`` (H, 7) as often as all others together."""
        if self._levels is not None:
            same = actions[:, GRIPPER, None] == self._levels
            self.odds = 0.5 * same + 0.5 / len(self._levels)

    def take_odds(self, odds: Array) -> None:
        """Begin with these odds (any H, L) of the levels; beyond them, and where there are no levels, nothing changes.

        Raises ValueError where they are for another number of levels.
        """
        if self._levels is not None:
            if odds.shape[1] != len(self._levels):
                raise ValueError(f"the proposal has odds for {odds.shape[1]} gripper levels, not {len(self._levels)}")
            steps = min(len(odds), len(self.odds))
            self.odds[:steps] = (1.0 - EXPLORATION) * odds[:steps] + EXPLORATION / len(self._levels)

    def sample(self, normals: NDArray[Any], uniforms: NDArray[Any]) -> Array:
        """Candidates (N, H, 7) from normals (N, H, Gaussian dimensions) and uniforms (N, H)."""
        free = self.continuous
        actions = samples_fastest(*normals.shape[:2])
        actions[:] = self.mean
        actions[..., free] += self.std[:, free] * normals
        if self._levels is not None:
            bounds = np.cumsum(self.odds, axis=1)[:, :-1]
            drawn = sum((uniforms >= bound for bound in bounds.T), start=np.zeros(uniforms.shape, dtype=np.intp))
            actions[..., GRIPPER] = self._levels[drawn]
        return actions

    def fit(self, elites: Array, keep_mean: Array, keep_std: Array, least_std: Array, sample_std: bool = False) -> None:
        """Move towards the elites (K, H, 7).

        Args:
            keep_mean, keep_std: shares (7,) of what was that survive.
            least_std: (7,) below which no deviation falls.
            sample_std: divide by K - 1 and not by K; a single elite then says nothing of the spread.
        """
        centre = elites.sum(axis=0) / len(elites)
        away = elites - centre
        self.mean = keep_mean * self.mean + (1.0 - keep_mean) * centre
        if len(elites) > sample_std:
            spread = np.sqrt((away * away).sum(axis=0) / (len(elites) - sample_std))
            self.std = np.maximum(keep_std * self.std + (1.0 - keep_std) * spread, least_std)
        if self._levels is not None:
            share = (elites[..., GRIPPER, None] == self._levels).mean(axis=0)
            share = (1.0 - EXPLORATION) * share + EXPLORATION / len(self._levels)
            self.odds = keep_mean[GRIPPER] * self.odds + (1.0 - keep_mean[GRIPPER]) * share

    def centre(self) -> Array:
        """The mean motion with the likeliest gripper level at each step (H, 7)."""
        actions = self.mean.copy()
        if self._levels is not None:
            actions[:, GRIPPER] = self._levels[np.argmax(self.odds, axis=1)]
        return actions
