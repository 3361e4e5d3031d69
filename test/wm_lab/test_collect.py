"""Collected episodes are repeatable, stay inside the limits, and a data folder resumes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wm_core.axes import Axes
from wm_core.errors import ConfigError, WmError
from wm_lab.collect import SIM_LIMITS, CollectConfig, collect, run_episode
from wm_sim.scene import PandaScene
from wm_training.dataset import META

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


def test_a_range_of_azimuths_turns_the_camera_and_nothing_else(scene):
    turned = replace(SHORT, azimuth_range_deg=40.0)
    plain, seen, again = (run_episode(scene, c, seed=1_000_003) for c in (SHORT, turned, turned))
    azimuth_deg = scene.camera.azimuth_deg
    scene.turn_camera(0.0)
    assert 0.0 < abs(azimuth_deg) <= 40.0
    np.testing.assert_array_equal(seen["frames"], again["frames"])
    assert not np.array_equal(seen["frames"], plain["frames"])
    for key in ("states", "actions"):
        np.testing.assert_allclose(seen[key], plain[key], atol=1e-5)


def test_camera_axes_turn_with_the_camera(scene):
    turned = replace(SHORT, azimuth_range_deg=40.0)
    base, camera = (run_episode(scene, replace(turned, camera_axes=c), seed=1_000_003) for c in (False, True))
    axes = Axes(np.radians(scene.camera.azimuth_deg), scene.camera.target_m[:2])
    scene.turn_camera(0.0)
    np.testing.assert_array_equal(base["frames"], camera["frames"])
    np.testing.assert_allclose(axes.actions_to_base(camera["actions"]), base["actions"], atol=1e-6)
    np.testing.assert_allclose(axes.state_to_base(camera["states"], turn_yaw=False), base["states"], atol=1e-6)


def test_data_of_before_the_azimuth_are_still_known(tmp_path):
    collect(tmp_path, SHORT, workers=1)
    meta = tmp_path / META
    older = {k: v for k, v in json.loads(meta.read_text()).items() if k not in ("azimuth_range_deg", "camera_axes")}
    meta.write_text(json.dumps(older))
    done = []
    collect(tmp_path, SHORT, workers=1, progress=done.append)
    assert done == [2]


def test_an_azimuth_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="azimuth_range_deg"):
        CollectConfig(azimuth_range_deg=-1.0)
