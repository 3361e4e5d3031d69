from __future__ import annotations

import numpy as np
import pytest

from wm_core import pose
from wm_core.path import flange_actions, flange_state, integrate_path, samples_fastest

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("free", [[], [5], [3, 4, 5]])
def test_the_path_is_the_integral_of_the_actions(state, free):
    actions = RNG.uniform(-0.6, 0.6, (20, 4, 7))
    actions[..., [d for d in (3, 4, 5) if d not in free]] = 0.0
    path = integrate_path(state, actions)
    assert path.shape == (20, 5, 7)
    now = np.repeat(state[None], 20, axis=0)
    for k in range(4):
        now = pose.integrate(now, actions[:, k])
        np.testing.assert_allclose(path[:, k + 1, [0, 1, 2, 6]], now[:, [0, 1, 2, 6]], atol=1e-12)
        turned = pose.euler_to_matrix(path[:, k + 1, 3:6])
        np.testing.assert_allclose(turned, pose.euler_to_matrix(now[:, 3:6]), atol=1e-12)


def test_layout_is_only_a_matter_of_speed(state):
    rows = RNG.uniform(-0.1, 0.1, (5, 3, 7))
    columns = samples_fastest(5, 3)
    columns[:] = rows
    np.testing.assert_array_equal(integrate_path(state, rows), integrate_path(state, columns))


def test_the_flange_is_above_the_tcp_of_a_tool_that_points_down(state):
    np.testing.assert_allclose(flange_state(state)[:3], state[:3] + [0, 0, 0.1034], atol=1e-12)
    assert flange_state(state)[6] == state[6]


def test_the_flange_arrives_where_the_tcp_does(state):
    actions = RNG.uniform(-0.2, 0.2, (6, 3, 7))
    path = integrate_path(state, actions)
    moves = flange_actions(path, actions)
    now = np.repeat(flange_state(state)[None], 6, axis=0)
    for k in range(3):
        now = pose.integrate(now, moves[:, k])
    wanted = flange_state(path[:, -1])
    np.testing.assert_allclose(now[:, :3], wanted[:, :3], atol=1e-9)
    np.testing.assert_allclose(pose.euler_to_matrix(now[:, 3:6]), pose.euler_to_matrix(wanted[:, 3:6]), atol=1e-9)
    np.testing.assert_array_equal(moves[..., 6], actions[..., 6])


def test_without_a_turn_flange_and_tcp_move_alike(state):
    actions = RNG.uniform(-0.2, 0.2, (6, 3, 7))
    actions[..., 3:6] = 0.0
    np.testing.assert_array_equal(flange_actions(integrate_path(state, actions), actions), actions)
