"""Windows line up: action t leads from frame t to frame t + 1. Damaged data are named."""

import numpy as np
import pytest

from wm_core.errors import WmError
from wm_training.dataset import META, Episodes


def test_windows_line_up(data):
    episodes = Episodes(data)
    assert len(episodes) == 6
    assert episodes.steps == 8
    frames, states, actions = episodes.windows(np.random.default_rng(0), np.arange(6), 10, 3)
    assert frames.shape == (10, 4, 64, 64, 3)
    assert actions.shape == (10, 3, 7)
    np.testing.assert_allclose(states[:, 1:, :3] - states[:, :-1, :3], actions[..., :3], atol=1e-6)


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(WmError, match="wm data generate"):
        Episodes(tmp_path)


def test_a_damaged_shard_is_named(data, tmp_path):
    (tmp_path / META).write_text((data / META).read_text())
    (tmp_path / "shard_0000.npz").write_bytes((data / "shard_0000.npz").read_bytes()[:5000])
    with pytest.raises(WmError, match=r"shard_0000\.npz is damaged"):
        Episodes(tmp_path)
