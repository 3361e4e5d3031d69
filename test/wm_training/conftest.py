"""A data folder with random frames: enough to train on, not enough to learn from."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from wm_lab.collect import CollectConfig
from wm_training.dataset import META


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    config = CollectConfig(episodes=6, steps=8)
    rng = np.random.default_rng(0)
    actions = np.zeros((6, 8, 7), np.float32)
    actions[..., :3] = rng.uniform(-0.05, 0.05, (6, 8, 3))
    states = np.zeros((6, 9, 7), np.float32)
    states[:, 0, :3] = [0.45, 0.0, 0.2]
    states[:, 1:, :3] = [0.45, 0.0, 0.2] + np.cumsum(actions[..., :3], axis=1)
    states[..., 3] = np.pi
    frames = rng.integers(0, 256, (6, 9, 64, 64, 3), dtype=np.uint8)
    for shard in (0, 1):
        part = slice(3 * shard, 3 * shard + 3)
        np.savez(folder / f"shard_{shard:04d}.npz", frames=frames[part], states=states[part], actions=actions[part])
    (folder / META).write_text(json.dumps(asdict(config)))
    return folder
