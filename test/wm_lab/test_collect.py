"""Collected episodes are repeatable, stay inside the limits, and a data folder resumes."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wm_core.axes import Axes
from wm_core.errors import ConfigError, WmError
from wm_core.pose import difference, euler_to_matrix
from wm_data.formats import opened
from wm_lab.collect import SIM_LIMITS, CollectConfig, collect, run_episode
from wm_sim.scene import TIMESTEP_S, PandaScene

SHORT = CollectConfig(episodes=2, steps=3)


@pytest.fixture(scope="module")
def scene():
    made = PandaScene()
    yield made
    made.close()


def test_an_episode_repeats_and_is_aligned(scene):
    first, again = (run_episode(scene, SHORT, seed=1_000_003) for _ in range(2))
    first.check(SHORT.spec(), "the episode")
    assert first.steps == 3
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


def test_the_motion_is_kept_beside_what_was_asked_for(scene):
    """The arm lags: it moves as asked, by less at first."""
    episode = run_episode(scene, replace(SHORT, steps=12), seed=1_000_003)
    np.testing.assert_allclose(episode.executed, difference(episode.states[:-1], episode.states[1:]), atol=1e-5)
    assert not np.allclose(episode.executed, episode.asked, atol=1e-3)
    asked, executed = (a[:, :3].sum(axis=0) for a in (episode.asked, episode.executed))
    assert 0.3 < np.dot(asked, executed) / np.dot(asked, asked) < 1.2
    # The stamps are those of the simulator's clock, which cannot divide a step period exactly.
    np.testing.assert_allclose(np.diff(episode.stamps_s), SHORT.step_period_s, atol=TIMESTEP_S)


def test_the_camera_is_kept_and_sees_the_hand_where_it_is(scene):
    spec = SHORT.spec()
    episode = run_episode(scene, replace(SHORT, azimuth_range_deg=40.0), seed=1_000_003)
    scene.turn_camera(0.0)
    seen = euler_to_matrix(episode.camera_pose[3:]).T @ (episode.states[0, :3] - episode.camera_pose[:3])
    column = spec.camera.cx_px + spec.camera.fx_px * seen[0] / seen[2]
    row = spec.camera.cy_px + spec.camera.fy_px * seen[1] / seen[2]
    assert 0.0 < column < 64.0 and 0.0 < row < 64.0
    # The gripper is the darkest thing before the table.
    around = episode.frames[0, int(row) - 3 : int(row) + 3, int(column) - 3 : int(column) + 3]
    assert around.mean() < episode.frames[0].mean()


def test_actions_stay_within_the_limits(scene):
    for seed in range(1_000_000, 1_000_004):
        episode = run_episode(scene, SHORT, seed)
        steps = np.linalg.norm(episode.asked[:, :3], axis=1)
        assert np.all(steps <= SIM_LIMITS.step_m + 1e-6)
        assert not episode.asked[:, 3:6].any()
        assert set(np.unique(episode.asked[:, 6])) <= {-1.0, 0.0, 1.0}


def test_the_card_of_the_model_that_ships_tells_of_these_data():
    card = Path(__file__).parents[2] / "models" / "panda_pick_place" / "CARD.md"
    assert f"\n## Data\n{CollectConfig().spec().about}\n" in card.read_text()


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
    assert [episode.steps for episode in opened(tmp_path).episodes()] == [3, 3]


def test_a_range_of_azimuths_turns_the_camera_and_nothing_else(scene):
    turned = replace(SHORT, azimuth_range_deg=40.0)
    plain, seen, again = (run_episode(scene, c, seed=1_000_003) for c in (SHORT, turned, turned))
    azimuth_deg = scene.camera.azimuth_deg
    scene.turn_camera(0.0)
    assert 0.0 < abs(azimuth_deg) <= 40.0
    np.testing.assert_array_equal(seen.frames, again.frames)
    assert not np.array_equal(seen.frames, plain.frames)
    for name in ("states", "asked", "executed"):
        np.testing.assert_allclose(getattr(seen, name), getattr(plain, name), atol=1e-5)


def test_camera_axes_turn_with_the_camera(scene):
    turned = replace(SHORT, azimuth_range_deg=40.0)
    base, camera = (run_episode(scene, replace(turned, camera_axes=c), seed=1_000_003) for c in (False, True))
    axes = Axes(np.radians(scene.camera.azimuth_deg), scene.camera.target_m[:2])
    scene.turn_camera(0.0)
    np.testing.assert_array_equal(base.frames, camera.frames)
    for name in ("asked", "executed"):
        np.testing.assert_allclose(axes.actions_to_base(getattr(camera, name)), getattr(base, name), atol=1e-6)
    np.testing.assert_allclose(axes.state_to_base(camera.states, turn_yaw=False), base.states, atol=1e-6)


def test_an_azimuth_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="azimuth_range_deg"):
        CollectConfig(azimuth_range_deg=-1.0)
