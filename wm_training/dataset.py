"""Recorded episodes as training windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError
from wm_data.formats import DEFAULT, opened


class Episodes:
    """All episodes of a data set, in memory.

    ``frames`` (E, T+1, h, w, 3) uint8, ``states`` (E, T+1, 7) float32, ``actions`` (E, T, 7) float32: the ones that
    were asked for, as the planner asks for them; action t leads from frame t to frame t+1. ``spec`` is the data set's.

    Raises:
        WmError: there are no data, some are damaged or missing, or the episodes differ in length.
    """

    def __init__(self, folder: str | Path, kind: str = DEFAULT) -> None:
        data = opened(folder, kind)
        self.spec = data.spec()
        episodes = list(data.episodes())
        if len({episode.steps for episode in episodes}) != 1:
            raise WmError(f"the episodes in {folder} differ in length; windows are drawn from such of one length")
        self.frames, self.states, self.actions = (
            np.stack([getattr(episode, name) for episode in episodes]) for name in ("frames", "states", "asked")
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def steps(self) -> int:
        return self.actions.shape[1]

    def windows(
        self, rng: np.random.Generator, episodes: NDArray[np.int64], count: int, horizon: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """``count`` random windows of ``horizon`` steps from the given episodes.

        Returns frames (count, horizon+1, h, w, 3), states (count, horizon+1, 7), actions (count, horizon, 7).
        """
        which = rng.choice(episodes, count)
        start = rng.integers(0, self.steps - horizon + 1, count)
        at = start[:, None] + np.arange(horizon + 1)
        which = which[:, None]
        return self.frames[which, at], self.states[which, at], self.actions[which, at[:, :-1]]
