"""Collected episodes are repeatable, stay inside the limits, and a data folder resumes."""

import numpy as np
import pytest

from wm_core.errors import WmError
from wm_sim.scene import PandaScene
from wm_training.collect import SIM_LIMITS, CollectConfig, collect, run_episode

SHORT = CollectConfig(episodes=2, steps=3)


@pytest.fixture(scope="module")
def scene():
    made = PandaScene()
    yield made
    made.close()


def test_an_episode_repeats_and_is_aligned(scene):
    first, again = (run_episode(scene, SHORT, seed=1_000_003) for _ in range(2))
    assert first["frames"].shape == (4, 64, 64, 3)
    assert first["states"].shape == (4, 7)
    assert first["actions"].shape == (3, 7)
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])


def test_actions_stay_within_the_limits(scene):
    for seed in range(1_000_000, 1_000_004):
        episode = run_episode(scene, SHORT, seed)
        steps = np.linalg.norm(episode["actions"][:, :3], axis=1)
        assert np.all(steps <= SIM_LIMITS.step_m + 1e-6)
        assert not episode["actions"][:, 3:6].any()
        assert set(np.unique(episode["actions"][:, 6])) <= {-1.0, 0.0, 1.0}


def test_a_folder_resumes_and_refuses_another_configuration(tmp_path):
    done = []
    collect(tmp_path, SHORT, workers=1, progress=done.append)
    shard = tmp_path / "shard_0000.npz"
    written = shard.stat().st_mtime_ns
    collect(tmp_path, SHORT, workers=1, progress=done.append)
    assert shard.stat().st_mtime_ns == written
    assert done == [0, 2, 2]
    with pytest.raises(WmError, match="another configuration"):
        collect(tmp_path, CollectConfig(episodes=2, steps=4), workers=1)
