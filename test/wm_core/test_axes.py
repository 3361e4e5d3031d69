"""Turned axes: exact round trips, the right way round, and a preset that keeps its other lines."""

import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wm_core import axes as stored
from wm_core import pose
from wm_core.axes import Axes
from wm_core.errors import ConfigError, WmError

ANGLE = st.floats(-np.pi, np.pi)
NUMBERS = hnp.arrays(np.float64, (3, 7), elements=st.floats(-1.0, 1.0))
TURNED = st.builds(Axes, ANGLE, st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)))


def same_rotation(a, b, tolerance=1e-9):
    np.testing.assert_allclose(pose.euler_to_matrix(a[..., 3:6]), pose.euler_to_matrix(b[..., 3:6]), atol=tolerance)


@given(TURNED, NUMBERS, st.booleans())
def test_a_state_comes_back(axes, states, turn_yaw):
    back = axes.state_to_base(axes.state_to_model(states, turn_yaw), turn_yaw)
    np.testing.assert_allclose(back[..., :3], states[..., :3], atol=1e-12)
    np.testing.assert_array_equal(back[..., 6], states[..., 6])
    same_rotation(back, states)


@given(TURNED, NUMBERS)
def test_an_action_comes_back(axes, actions):
    back = axes.actions_to_base(axes.actions_to_model(actions))
    np.testing.assert_allclose(back[..., :3], actions[..., :3], atol=1e-12)
    same_rotation(back, actions)


@given(TURNED, NUMBERS, NUMBERS)
def test_turning_and_moving_may_change_places(axes, states, actions):
    # What the model integrates in its axes is what the arm does in the base frame.
    states, actions = states * 0.4, actions * 0.4
    there = pose.integrate(axes.state_to_model(states), axes.actions_to_model(actions))
    here = axes.state_to_model(pose.integrate(states, actions))
    np.testing.assert_allclose(there[..., [0, 1, 2, 6]], here[..., [0, 1, 2, 6]], atol=1e-12)
    same_rotation(there, here)


@given(NUMBERS)
def test_no_turn_changes_no_bit(states):
    np.testing.assert_array_equal(Axes().state_to_model(states), states)
    np.testing.assert_array_equal(Axes().actions_to_base(states), states)


def test_axes_that_lie_a_quarter_turn_anticlockwise():
    axes = Axes(np.pi / 2, (0.5, 0.0))
    # A step along the base frame's y axis is one along the model's x axis, which points there.
    np.testing.assert_allclose(axes.actions_to_model([0, 0.1, 0.02, 0, 0, 0.3, 1])[:3], [0.1, 0, 0.02], atol=1e-12)
    np.testing.assert_allclose(axes.actions_to_model([0, 0.1, 0.02, 0, 0, 0.3, 1])[3:], [0, 0, 0.3, 1], atol=1e-12)
    # A turn about the base frame's y axis is one about the model's x axis.
    np.testing.assert_allclose(axes.actions_to_model([0, 0, 0, 0, 0.2, 0, 0])[3:6], [0.2, 0, 0], atol=1e-12)
    state = [0.5, 0.1, 0.2, np.pi, 0.0, 0.0, 0.5]
    np.testing.assert_allclose(axes.state_to_model(state), [0.6, 0, 0.2, np.pi, 0, -np.pi / 2, 0.5], atol=1e-12)
    assert axes.state_to_model(state, turn_yaw=False)[5] == 0.0


@pytest.mark.parametrize("values", [{"yaw_rad": np.nan}, {"yaw_rad": 3.2}, {"centre_m": (0.0, np.inf)}])
def test_nonsense_is_refused(values):
    with pytest.raises(ConfigError, match="axes"):
        Axes(**values)


def test_a_preset_keeps_its_other_lines(tmp_path):
    preset = tmp_path / "camera.yaml"
    preset.write_text("# A camera.\nsource: '0' # the left one\naxes:\n  yaw_rad: 1.0\nfps: 30.0\n")
    for yaw in (0.25, -0.5):
        stored.store(preset, Axes(yaw, (0.4, 0.1)), "12 moves")
        assert stored.load(preset) == Axes(yaw, (0.4, 0.1))
    lines = preset.read_text().splitlines()
    assert lines[:4] == ["# A camera.", "source: '0' # the left one", "fps: 30.0", "axes: # 12 moves"]
    assert sum(line.startswith("axes") for line in lines) == 1


AXES = "axes:\n  yaw_rad: 1.0\n"


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        (AXES + "\n  centre_m: [0.4, 0.1]\nfps: 30.0\n", "fps: 30.0\n"),
        (AXES + "# what it looks at\n \n  # measured\n  centre_m: [0.4, 0.1]\n", ""),
        (AXES + "\n# frames per second\nfps: 30.0\n", "\n# frames per second\nfps: 30.0\n"),
        ("axes: # old\n  centre_m:\n    - 0.4\n\n    - 0.1\n", ""),
        ("axes: {yaw_rad: 1.0,\n  turned_hand: true}\nfps: 30.0", "fps: 30.0\n"),
        ("axes:\nfps: 30.0\n", "fps: 30.0\n"),
        ("# mine\n\n" + AXES, "# mine\n"),
    ],
)
def test_old_axes_go_as_a_whole(tmp_path, text, stays):
    preset = tmp_path / "camera.yaml"
    preset.write_text(text)
    stored.check(preset)
    assert preset.read_text() == text
    stored.store(preset, Axes(0.25), "a bundle\nof two lines")
    before, _, after = preset.read_text().partition("axes: # a bundle?of two lines\n")
    assert before == stays and after and stored.load(preset) == Axes(0.25)


@pytest.mark.parametrize(
    "text",
    ['"axes": {yaw_rad: 1.0}\n', "{axes: {yaw_rad: 1.0}, fps: 30.0}\n", "fps: 30.0\n...\n", "axes: {\nyaw_rad: 1.0}\n"],
)
def test_a_preset_that_cannot_take_them_is_named_and_stays_as_it_is(tmp_path, text):
    preset = tmp_path / "camera.yaml"
    preset.write_text(text)
    for attempt in (lambda: stored.check(preset), lambda: stored.store(preset, Axes(0.25))):
        with pytest.raises(ConfigError, match=r"cannot be put into .*camera\.yaml .*; begin each of its keys"):
            attempt()
    assert preset.read_text() == text


def test_a_full_disk_leaves_the_preset(tmp_path, monkeypatch):
    preset = tmp_path / "camera.yaml"
    preset.write_text("fps: 30.0\n")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WmError, match=r"cannot write .*: No space left on device"):
        stored.store(preset, Axes(0.25))
    assert preset.read_text() == "fps: 30.0\n"


def test_a_place_that_takes_no_axes_is_found_before(tmp_path):
    stored.check(tmp_path / "new" / "camera.yaml")
    assert not (tmp_path / "new" / "camera.yaml").exists()
    for place in (tmp_path, "/dev/zero"):
        with pytest.raises(WmError, match=r"folder|no regular file"):
            stored.check(place)


def test_a_new_preset_is_made(tmp_path):
    stored.store(tmp_path / "new" / "camera.yaml", Axes(np.float64(0.5), turned_hand=True))
    assert stored.load(tmp_path / "new" / "camera.yaml") == Axes(0.5, turned_hand=True)


def test_a_camera_without_axes_is_refused(tmp_path):
    (tmp_path / "camera.yaml").write_text("source: '0'\n")
    with pytest.raises(ConfigError, match="not calibrated"):
        stored.load(tmp_path / "camera.yaml")
    (tmp_path / "broken.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="mapping"):
        stored.store(tmp_path / "broken.yaml", Axes())
