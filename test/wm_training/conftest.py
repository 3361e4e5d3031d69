"""A data set with random frames: enough to train on, not enough to learn from."""

import numpy as np
import pytest

from wm_core.pose import difference
from wm_data.episode import Episode
from wm_data.formats import opened
from wm_lab.collect import CollectConfig


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    actions = np.zeros((6, 8, 7), np.float32)
    actions[..., :3] = rng.uniform(-0.05, 0.05, (6, 8, 3))
    states = np.zeros((6, 9, 7), np.float32)
    states[:, 0, :3] = [0.45, 0.0, 0.2]
    states[:, 1:, :3] = [0.45, 0.0, 0.2] + np.cumsum(actions[..., :3], axis=1)
    states[..., 3] = np.pi
    frames = rng.integers(0, 256, (6, 9, 64, 64, 3), dtype=np.uint8)
    stamps_s, nowhere = 0.25 * np.arange(9), np.full(6, np.nan)
    executed = difference(states[:, :-1], states[:, 1:]).astype(np.float32)
    episodes = [Episode(frames[k], stamps_s, states[k], actions[k], executed[k], nowhere) for k in range(6)]
    shards = opened(folder)
    (numbers,) = shards.begin(CollectConfig(episodes=6, steps=8).spec())
    shards.write(numbers, episodes)
    return folder
