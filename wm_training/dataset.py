"""Recorded episodes as training windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError

META = "data.json"


class Episodes:
    """All episodes of a data folder, in memory.

    ``frames`` (E, T+1, px, px, 3) uint8, ``states`` (E, T+1, 7) float32, ``actions`` (E, T, 7) float32: action t leads
    from frame t to frame t+1. ``meta`` is the configuration that they were collected under.

    Raises:
        WmError: there is no data, or a shard is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        shards = sorted(folder.glob("shard_*.npz"))
        if not shards or not (folder / META).exists():
            raise WmError(f"there is no training data in {folder}; collect some with 'wm data generate --out {folder}'")
        self.meta = json.loads((folder / META).read_text())
        parts: list[dict[str, NDArray[Any]]] = []
        for shard in shards:
            try:
                with np.load(shard, allow_pickle=False) as file:
                    parts.append({key: file[key] for key in ("frames", "states", "actions")})
            except Exception as error:
                raise WmError(f"{shard} is damaged ({error}); delete it and run 'wm data generate' again") from None
        self.frames, self.states, self.actions = (
            np.concatenate([p[key] for p in parts]) for key in ("frames", "states", "actions")
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

        Returns frames (count, horizon+1, px, px, 3), states (count, horizon+1, 7), actions (count, horizon, 7).
        """
        which = rng.choice(episodes, count)
        start = rng.integers(0, self.steps - horizon + 1, count)
        at = start[:, None] + np.arange(horizon + 1)
        which = which[:, None]
        return self.frames[which, at], self.states[which, at], self.actions[which, at[:, :-1]]
