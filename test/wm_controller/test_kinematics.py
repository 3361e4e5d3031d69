"""Forward kinematics against MuJoCo's Panda, the Jacobian against differences, and the two margins."""

from __future__ import annotations

import numpy as np
import pytest

from wm_controller import kinematics
from wm_core.limits import JOINTS_RAD

HOME_RAD = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])


def postures(count: int = 20) -> np.ndarray:
    low, high = np.array(JOINTS_RAD["fr3"]).T
    return np.random.default_rng(0).uniform(low, high, (count, 7))


def test_the_frames_are_those_of_mujocos_panda() -> None:
    pytest.importorskip("mujoco")
    from wm_core.errors import WmError
    from wm_sim.scene import PandaScene

    try:
        scene = PandaScene()
    except WmError as error:
        pytest.skip(str(error))
    import mujoco

    joints = [scene.model.joint(f"joint{k}").qposadr[0] for k in range(1, 8)]
    for posture in postures():
        scene.data.qpos[joints] = posture
        mujoco.mj_forward(scene.model, scene.data)
        for k, frame in enumerate(kinematics.frames(posture)[:7], start=1):
            body = scene.data.body(f"link{k}")
            np.testing.assert_allclose(frame[:3, 3], body.xpos, atol=1e-9)
            np.testing.assert_allclose(frame[:3, :3], body.xmat.reshape(3, 3), atol=1e-9)


def test_the_flange_is_107_mm_along_the_last_axis() -> None:
    # All joints at zero: an arm stretched upwards, bent forward by 88 mm, the flange looking down.
    flange = kinematics.frames(np.zeros(7))[7]
    np.testing.assert_allclose(flange[:3, 3], [0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107], atol=1e-12)
    np.testing.assert_allclose(flange[:3, 2], [0.0, 0.0, -1.0], atol=1e-12)


def test_the_jacobian_is_the_derivative() -> None:
    for posture in postures(5):
        jacobian = kinematics.jacobian(posture)
        for k in range(7):
            step = np.zeros(7)
            step[k] = 1e-6
            before, after = (kinematics.frames(posture + s)[7] for s in (-step, step))
            np.testing.assert_allclose(jacobian[:3, k], (after[:3, 3] - before[:3, 3]) / 2e-6, atol=1e-8)
            turn = (after[:3, :3] - before[:3, :3]) @ kinematics.frames(posture)[7][:3, :3].T / 2e-6
            np.testing.assert_allclose(jacobian[3:, k], [turn[2, 1], turn[0, 2], turn[1, 0]], atol=1e-8)


def test_the_condition_grows_as_the_elbow_stretches() -> None:
    assert kinematics.condition(HOME_RAD) < 10.0
    elbow = [kinematics.condition([0.0, 0.195, 0.0, q4, 0.0, 2.62, 0.785]) for q4 in (-2.4, -2.0, -1.5, -1.0, -0.5)]
    assert elbow == sorted(elbow)
    assert elbow[-1] > 30.0


def test_the_nearest_end() -> None:
    joint, margin = kinematics.nearest_end(HOME_RAD.tolist(), "fer")
    assert (joint, margin) == (4, pytest.approx(3.0718 - 2.43))
    past = HOME_RAD.copy()
    past[5] = 3.8
    assert kinematics.nearest_end(past.tolist(), "fer") == (6, pytest.approx(3.7525 - 3.8))
    assert kinematics.nearest_end(past.tolist(), "fr3")[1] > 0.5
