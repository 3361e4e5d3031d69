"""A data set to write and to read: a little more than a shard of short episodes of random numbers."""

from __future__ import annotations

import numpy as np

from wm_data.episode import VERSION, ActionRange, DataSpec, Episode
from wm_data.formats.shards import EPISODES_PER_SHARD

COUNT = EPISODES_PER_SHARD + 2
SPEC = DataSpec(VERSION, "a test", "", "real", COUNT, 0.2, (2, 2), ActionRange((-1.0,) * 7, (1.0,) * 7))


def episode(number: int) -> Episode:
    rng = np.random.default_rng(number)
    return Episode(
        frames=rng.integers(0, 256, (4, 2, 2, 3), dtype=np.uint8),
        stamps_s=0.2 * np.arange(4),
        states=rng.normal(size=(4, 7)).astype(np.float32),
        asked=rng.normal(size=(3, 7)).astype(np.float32),
        executed=rng.normal(size=(3, 7)).astype(np.float32),
        camera_pose=rng.normal(size=6),
    )
