"""Windows line up: action t leads from frame t to frame t + 1. What cannot be trained on is refused."""

import shutil

import numpy as np
import pytest

from wm_core.errors import WmError
from wm_data.episode import Episode
from wm_data.formats.base import DataFormat
from wm_lab.collect import CollectConfig
from wm_training import dataset
from wm_training.dataset import Episodes


def test_windows_line_up(data):
    episodes = Episodes(data)
    assert len(episodes) == 6
    assert episodes.steps == 8
    frames, states, actions = episodes.windows(np.random.default_rng(0), np.arange(6), 10, 3)
    assert frames.shape == (10, 4, 64, 64, 3)
    assert actions.shape == (10, 3, 7)
    np.testing.assert_allclose(states[:, 1:, :3] - states[:, :-1, :3], actions[..., :3], atol=1e-6)


class Numbered(DataFormat):
    """Five episodes whose numbers say which episode and which step they belong to."""

    lengths = (6, 6, 6, 6, 6)

    def spec(self):
        return CollectConfig(episodes=5, steps=6).spec()

    def episodes(self):
        for number, steps in enumerate(self.lengths):
            states = np.zeros((steps + 1, 7), np.float32)
            states[:, 0], states[:, 1] = number, np.arange(steps + 1)
            frames = np.zeros((steps + 1, 64, 64, 3), np.uint8)
            frames[..., 0] = (10 * number + np.arange(steps + 1))[:, None, None]
            yield Episode(frames, np.arange(steps + 1.0), states, states[:-1] + 0.5, states[:-1] + 0.25, np.zeros(6))


def test_the_windows_are_the_ones_that_were_always_drawn(monkeypatch):
    """Recorded when shards were read without a schema: the shipped model was trained on such windows."""
    monkeypatch.setattr(dataset, "opened", lambda folder, kind: Numbered(folder))
    frames, states, actions = Episodes("").windows(np.random.default_rng(7), np.array([0, 2, 3, 4]), 8, 3)
    assert states[:, 0, 0].tolist() == [4, 3, 3, 4, 3, 4, 4, 0]
    np.testing.assert_array_equal(states[:, :, 1], np.add.outer([0, 1, 1, 3, 3, 0, 1, 3], np.arange(4)))
    np.testing.assert_array_equal(frames[:, :, 5, 5, 0], 10 * states[:, :, 0] + states[:, :, 1])
    np.testing.assert_array_equal(actions[..., :2], states[:, :-1, :2] + 0.5)


def test_episodes_of_several_lengths_are_refused(monkeypatch):
    monkeypatch.setattr(dataset, "opened", lambda folder, kind: Numbered(folder))
    monkeypatch.setattr(Numbered, "lengths", (6, 6, 5))
    with pytest.raises(WmError, match="differ in length"):
        Episodes("")


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(WmError, match="wm data generate"):
        Episodes(tmp_path)


def test_damaged_data_are_not_trained_on(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "data")
    shard = folder / "shard_0000.npz"
    shard.write_bytes(shard.read_bytes()[:5000])
    with pytest.raises(WmError, match=r"shard_0000\.npz is damaged"):
        Episodes(folder)
