"""The plain-float rotations agree with wm_core.pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller import spatial
from wm_core import pose

angle = st.floats(-math.pi, math.pi)
eulers = st.tuples(angle, st.floats(-1.5, 1.5), angle)
turns = st.tuples(*[st.floats(-1.7, 1.7)] * 3)


def matrix(q: spatial.Quat) -> np.ndarray:
    return pose.quaternion_to_matrix(q)


@given(eulers)
def test_euler_angles(euler: spatial.Vec) -> None:
    q = spatial.quaternion(*euler)
    np.testing.assert_allclose(matrix(q), pose.euler_to_matrix(euler), atol=1e-12)
    np.testing.assert_allclose(pose.euler_to_matrix(spatial.euler(q)), pose.euler_to_matrix(euler), atol=1e-9)
    np.testing.assert_allclose(spatial.tool_axis(q), pose.euler_to_matrix(euler)[:, 2], atol=1e-12)


@given(eulers, eulers)
def test_turn_between_is_the_shortest(a: spatial.Vec, b: spatial.Vec) -> None:
    start, end = spatial.quaternion(*a), spatial.quaternion(*b)
    turn = spatial.turn_between(start, end)
    full = float(pose.rotation_angle(matrix(end) @ matrix(start).T))
    assert spatial.length(turn) == pytest.approx(full, abs=1e-7)
    np.testing.assert_allclose(matrix(spatial.turned(start, turn)), matrix(end), atol=1e-7)


@given(eulers, turns, st.floats(1e-9, 1.0))
def test_turns_come_back(euler: spatial.Vec, turn: spatial.Vec, size: float) -> None:
    start, turn = spatial.quaternion(*euler), spatial.scaled(turn, size)
    np.testing.assert_allclose(spatial.turn_between(start, spatial.turned(start, turn)), turn, atol=1e-12)


def test_shortened() -> None:
    assert spatial.shortened((3.0, 0.0, 4.0), 10.0) == (3.0, 0.0, 4.0)
    assert spatial.shortened((3.0, 0.0, 4.0), 1.0) == pytest.approx((0.6, 0.0, 0.8))
    assert spatial.shortened((0.0, 0.0, 0.0), 0.0) == (0.0, 0.0, 0.0)
    assert spatial.shortened((3.0, 0.0, 4.0), 0.0) == (0.0, 0.0, 0.0)
    assert spatial.length(spatial.shortened((1e300, -1e300, 1e300), 0.05)) == pytest.approx(0.05)
