"""The simulated cell behaves as an arm does: it follows, it grips, it repeats; and it says what it lacks."""

import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from wm_core import pose as poses
from wm_core.errors import WmError
from wm_sim import scene as scenes
from wm_sim.scene import CUBE_HALF_M, HOME_POSE, PandaScene


@pytest.fixture(scope="module")
def scene():
    made = PandaScene(0)
    yield made
    made.close()


def test_a_seed_is_a_scene(scene):
    scene.reset(5)
    first = scene.cube_position(), scene.goal_xy_m.copy(), scene.render().copy()
    scene.reset(6)
    assert not np.allclose(scene.cube_position(), first[0])
    scene.reset(5)
    np.testing.assert_array_equal(scene.cube_position(), first[0])
    np.testing.assert_array_equal(scene.goal_xy_m, first[1])
    np.testing.assert_array_equal(scene.render(), first[2])


def test_the_arm_starts_at_home_at_rest(scene):
    scene.reset(0)
    before = scene.state()
    assert np.linalg.norm(before.pose[:3] - HOME_POSE[:3]) < 1e-3
    scene.advance(0.5)
    assert np.linalg.norm(scene.state().pose[:3] - before.pose[:3]) < 1e-3


def test_all_six_dimensions_of_the_target_are_followed(scene):
    scene.reset(0)
    target = HOME_POSE.copy()
    target[:3] += [0.05, -0.06, 0.04]
    target[3:] = poses.matrix_to_euler(poses.euler_to_matrix([0.15, -0.1, 0.3]) @ poses.euler_to_matrix(HOME_POSE[3:]))
    scene.set_target(target)
    scene.advance(1.5)
    found = scene.state().pose
    assert np.linalg.norm(found[:3] - target[:3]) < 2e-3
    turn = poses.euler_to_matrix(found[3:]) @ poses.euler_to_matrix(target[3:]).T
    assert float(poses.rotation_angle(turn)) < 0.02


def test_the_arm_lags_its_target_as_an_impedance_arm_does(scene):
    scene.reset(0)
    target = HOME_POSE.copy()
    target[0] += 0.05
    scene.set_target(target)
    scene.advance(0.02)
    assert scene.state().pose[0] - HOME_POSE[0] < 0.02
    scene.advance(1.0)
    assert abs(scene.state().pose[0] - target[0]) < 2e-3


def test_the_gripper_reports_closedness(scene):
    scene.reset(0)
    assert scene.state().gripper < 0.05
    scene.set_gripper(1.0)
    scene.advance(1.0)
    assert scene.state().gripper > 0.95


def test_pressing_on_the_table_is_felt(scene):
    scene.reset(0)
    assert np.abs(scene.wrench()[:3]).max() < 2.0
    target = HOME_POSE.copy()
    target[2] = -0.03
    scene.set_cube(np.array([0.45, 0.3]))
    scene.set_target(target)
    scene.advance(1.5)
    assert scene.wrench()[2] > 5.0


def test_placed_needs_the_goal_the_table_and_a_released_cube(scene):
    scene.reset(0)
    assert not scene.placed()
    scene.set_cube(scene.goal_xy_m)
    assert scene.placed()
    scene.set_cube(scene.goal_xy_m, z_m=0.1)
    assert not scene.placed()
    scene.set_cube(scene.goal_xy_m + [0.05, 0.0])
    assert not scene.placed()


def test_frames_are_rgb_and_show_the_cube(scene):
    scene.reset(0)
    frame = scene.render()
    assert frame.shape == (scene.camera.height, scene.camera.width, 3)
    assert frame.dtype == np.uint8
    red = (frame[..., 0] > 120) & (frame[..., 1] < 70)
    assert 10 < red.sum() < 400
    scene.set_cube(np.array([0.1, 0.9]), z_m=CUBE_HALF_M)
    assert not ((scene.render()[..., 0] > 120) & (scene.render()[..., 1] < 70)).any()


def test_a_trace_can_be_drawn_again(scene):
    scene.reset(1)
    before, qpos = scene.render().copy(), scene.data.qpos.copy()
    scene.reset(2)
    scene.show(qpos)
    np.testing.assert_array_equal(scene.render(), before)


def test_missing_meshes_are_named(monkeypatch):
    monkeypatch.setattr(scenes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WmError, match="gym-hil"):
        PandaScene()


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": os.devnull}, "apt-get install libegl1"),
        ({"MUJOCO_GL": "egl", "__EGL_VENDOR_LIBRARY_DIRS": os.devnull}, "unset __EGL_VENDOR_LIBRARY_DIRS, or install"),
        ({"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "osmesa"}, "unset PYOPENGL_PLATFORM, or install"),
        ({"MUJOCO_GL": "egl", "MUJOCO_EGL_DEVICE_ID": "x"}, "unset MUJOCO_EGL_DEVICE_ID, or install"),
        ({"MUJOCO_GL": "nonsense"}, "MUJOCO_GL is 'nonsense': set it to egl"),
    ],
)
def test_no_gl_is_one_sentence(environment, advice):
    code = (
        "from wm_core.errors import WmError\n"
        "from wm_sim.scene import PandaScene\n"
        "try: PandaScene().render()\n"
        "except WmError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    assert advice in done.stdout and done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_an_empty_mujoco_gl_is_the_default():
    code = "from wm_sim.scene import PandaScene\nprint(PandaScene().render().shape)"
    environment = {**os.environ, "MUJOCO_GL": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "(128, 128, 3)\n", done.stderr


@pytest.mark.parametrize(
    ("stand_in", "says"),
    [
        ("raise ModuleNotFoundError('gone', name='mujoco')", "needs MuJoCo: {python} -m pip install --upgrade mujoco"),
        ("import no_such_gl", "needs the module no_such_gl: {python} -m pip install --upgrade mujoco"),
        ("raise ImportError('libEGL.so.1: cannot open shared object file')", "('libEGL.so.1: cannot open"),
        ("__version__ = '2.3.7'", "a newer MuJoCo than 2.3.7: {python} -m pip install --upgrade mujoco"),
    ],
)
def test_a_mujoco_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, stand_in, says):
    (tmp_path / "mujoco.py").write_text(stand_in, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mujoco")
    with pytest.raises(WmError, match=re.escape(says.format(python=sys.executable))):
        PandaScene()


def test_meshes_that_a_package_lacks_are_named(tmp_path, monkeypatch):
    spec = types.SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(scenes.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(
        WmError,
        match=re.escape(f"not in {tmp_path / 'assets'}: {sys.executable} -m pip install --upgrade --no-deps gym-hil=="),
    ):
        PandaScene()
