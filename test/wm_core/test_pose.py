"""Pose maths: parity with the reference implementation, and properties that hold for all poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core import pose

REFERENCE = Path(__file__).parents[1] / "data" / "vjepa2_ac_public.npz"  # facebookresearch/vjepa2 on float32 poses

angle = st.floats(-np.pi, np.pi)
pitch = st.floats(-np.pi / 2, np.pi / 2)
metres = st.floats(-2.0, 2.0)
eulers = st.tuples(angle, pitch, angle)
states = st.tuples(metres, metres, metres, angle, pitch, angle, st.floats(0.0, 1.0)).map(np.array)


def same_state(a: np.ndarray, b: np.ndarray, atol: float) -> None:
    """Equal positions, orientations (not angles: they wrap) and grippers."""
    np.testing.assert_allclose(a[..., [0, 1, 2, 6]], b[..., [0, 1, 2, 6]], atol=atol)
    np.testing.assert_allclose(pose.euler_to_matrix(a[..., 3:6]), pose.euler_to_matrix(b[..., 3:6]), atol=atol)


def test_difference_matches_the_reference() -> None:
    data = np.load(REFERENCE)
    same_state(pose.difference(data["diff_poses"][:-1], data["diff_poses"][1:]), data["diff_actions"], 2e-6)


def test_integrate_matches_the_reference() -> None:
    data = np.load(REFERENCE)
    same_state(pose.integrate(data["pose_step_in"], data["pose_step_action"]), data["pose_step_out"], 2e-6)


@given(states, states)
def test_integrate_undoes_difference(a: np.ndarray, b: np.ndarray) -> None:
    same_state(pose.integrate(a, pose.difference(a, b)), b, 1e-7)


@given(states)
def test_no_action_changes_nothing(state: np.ndarray) -> None:
    np.testing.assert_array_equal(pose.integrate(state, np.zeros(7)), state)


def test_euler_angles_are_not_added() -> None:
    """A yaw of the base on a tool that points down turns the yaw angle; a roll about the base's x axis does not."""
    down = np.array([0.5, 0.0, 0.3, np.pi, 0.0, np.pi / 2, 0.0])
    yawed = pose.integrate(down, [0, 0, 0, 0, 0, 0.2, 0])
    np.testing.assert_allclose(yawed[3:6], [np.pi, 0.0, np.pi / 2 + 0.2], atol=1e-12)
    rolled = pose.integrate(down, [0, 0, 0, 0.2, 0, 0, 0])
    np.testing.assert_allclose(np.abs(rolled[3:6]), [np.pi, 0.2, np.pi / 2], atol=1e-12)


def test_integrate_takes_batches() -> None:
    rng = np.random.default_rng(0)
    state, actions = rng.normal(0, 0.3, 7), rng.normal(0, 0.3, (3, 4, 7))
    actions[1, 2, 3:6] = 0.0
    batch = pose.integrate(state, actions)
    assert batch.shape == (3, 4, 7)
    np.testing.assert_allclose(batch[2, 1], pose.integrate(state, actions[2, 1]), atol=1e-12)
    np.testing.assert_array_equal(batch[1, 2, 3:6], state[3:6])


@pytest.mark.parametrize(("start", "change", "end"), [(0.2, 0.9, 1.0), (0.2, -0.9, 0.0), (0.2, 0.5, 0.7)])
def test_the_gripper_is_clipped(start: float, change: float, end: float) -> None:
    state, action = np.zeros(7), np.zeros(7)
    state[6], action[6] = start, change
    assert pose.integrate(state, action)[6] == pytest.approx(end)


@given(eulers)
def test_euler_to_matrix_and_back(euler: tuple[float, float, float]) -> None:
    matrix = pose.euler_to_matrix(euler)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(pose.euler_to_matrix(pose.matrix_to_euler(matrix)), matrix, atol=1e-8)


@pytest.mark.parametrize("off", [0.0, 1e-12, 1e-9, 1e-7, 1e-5])
@pytest.mark.parametrize("sign", [-1, 1])
def test_gimbal_lock_keeps_the_matrix(sign: int, off: float) -> None:
    for roll, yaw in np.random.default_rng(0).uniform(-np.pi, np.pi, (50, 2)):
        matrix = pose.euler_to_matrix([roll, sign * (np.pi / 2 - off), yaw])
        np.testing.assert_allclose(pose.euler_to_matrix(pose.matrix_to_euler(matrix)), matrix, atol=1e-8)


@given(eulers)
def test_quaternion_and_back(euler: tuple[float, float, float]) -> None:
    matrix = pose.euler_to_matrix(euler)
    q = pose.matrix_to_quaternion(matrix)
    assert q[3] >= 0.0
    np.testing.assert_allclose(pose.quaternion_to_matrix(q), matrix, atol=1e-12)
    np.testing.assert_allclose(pose.quaternion_to_matrix(-3.0 * q), matrix, atol=1e-12)


@pytest.mark.parametrize("bad", [np.zeros(4), np.full(4, np.nan)])
def test_a_zero_quaternion_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="quaternion"):
        pose.quaternion_to_matrix(bad)


@given(st.floats(0.0, np.pi), st.floats(-1.0, 1.0), angle)
def test_rotation_angle(turn: float, height: float, azimuth: float) -> None:
    flat = np.sqrt(1 - height**2)
    axis = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), height])
    q = np.append(axis * np.sin(turn / 2), np.cos(turn / 2))
    assert pose.rotation_angle(pose.quaternion_to_matrix(q)) == pytest.approx(turn, abs=1e-7)


@given(eulers, eulers, st.floats(0.0, 1.0))
def test_rotate_towards_divides_the_angle(
    a: tuple[float, float, float], b: tuple[float, float, float], share: float
) -> None:
    start, goal = pose.euler_to_matrix(a), pose.euler_to_matrix(b)
    full = float(pose.rotation_angle(goal @ start.T))
    middle = pose.rotate_towards(start, goal, share)
    assert pose.rotation_angle(middle @ start.T) == pytest.approx(share * full, abs=1e-6)
    assert pose.rotation_angle(goal @ middle.T) == pytest.approx((1 - share) * full, abs=1e-6)


@given(states, states)
def test_compose_and_invert(a: np.ndarray, b: np.ndarray) -> None:
    back = pose.compose(pose.compose(a[:6], b[:6]), pose.invert(b[:6]))
    same_state(np.append(back, 0.0), np.append(a[:6], 0.0), 1e-7)


def test_hand_tcp_sits_below_the_flange() -> None:
    flange = [0.5, 0.1, 0.4, np.pi, 0.0, 0.0]
    tcp = pose.compose(flange, pose.FLANGE_FROM_HAND_TCP_M_RAD)
    np.testing.assert_allclose(tcp[:3], [0.5, 0.1, 0.4 - 0.1034], atol=1e-12)
    np.testing.assert_allclose(np.abs(tcp[3:]), [np.pi, 0.0, np.pi / 4], atol=1e-12)


@given(st.floats(0.0, np.pi), angle)
def test_tilt_is_the_angle_from_straight_down(lean: float, yaw: float) -> None:
    assert pose.tilt([np.pi - lean, 0.0, yaw]) == pytest.approx(lean, abs=1e-7)
