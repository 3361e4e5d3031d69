from __future__ import annotations

import numpy as np

from wm_planner.action_space import ActionSpace
from wm_planner.optimisers.distribution import EXPLORATION, ActionDistribution

SPACE = ActionSpace([-1, -1, -1, 0, 0, 0, -0.75], [1, 1, 1, 0, 0, 0, 0.75], (-0.75, 0.0, 0.75))
RNG = np.random.default_rng(0)


def draw(distribution, samples=4000):
    steps = len(distribution.mean)
    return distribution.sample(RNG.standard_normal((samples, steps, 3)), RNG.random((samples, steps)))


def test_samples_have_the_mean_the_spread_and_the_odds():
    std = np.tile([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.5], (2, 1))
    distribution = ActionDistribution(SPACE, np.array([[0.1, 0, 0, 0, 0, 0, 0], [0, 0.5, 0, 0, 0, 0, 0]]), std)
    distribution.odds = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])
    actions = draw(distribution)
    np.testing.assert_allclose(actions[..., :6].mean(axis=0), distribution.mean[:, :6], atol=0.02)
    np.testing.assert_allclose(actions[..., :6].std(axis=0), std[:, :6], atol=0.02)
    share = (actions[..., 6, None] == [-0.75, 0.0, 0.75]).mean(axis=0)
    np.testing.assert_allclose(share, distribution.odds, atol=0.03)


def test_fit_moves_to_the_elites_and_keeps_a_floor():
    distribution = ActionDistribution(SPACE, np.zeros((1, 7)), np.full((1, 7), 0.5))
    elites = np.zeros((10, 1, 7))
    elites[:, 0, 0], elites[:5, 0, 1], elites[:, 0, 6] = 0.4, 0.2, 0.75
    distribution.fit(elites, momentum=0.5, least_std=np.full(7, 0.02))
    assert np.isclose(distribution.mean[0, 0], 0.2) and np.isclose(distribution.mean[0, 1], 0.05)
    assert np.isclose(distribution.std[0, 0], 0.25) and np.isclose(distribution.std[0, 1], 0.3)
    for _ in range(30):
        distribution.fit(elites, momentum=0.5, least_std=np.full(7, 0.02))
    assert distribution.std[0, 0] == 0.02
    np.testing.assert_allclose(distribution.odds[0], [EXPLORATION / 3, EXPLORATION / 3, 1 - 2 * EXPLORATION / 3])
    assert distribution.centre()[0, 6] == 0.75


def test_without_levels_the_gripper_is_one_more_gaussian():
    space = ActionSpace([-1] * 7, [1] * 7)
    distribution = ActionDistribution(space, np.zeros((1, 7)), np.full((1, 7), 0.1))
    actions = distribution.sample(RNG.standard_normal((2000, 1, 7)), RNG.random((2000, 1)))
    np.testing.assert_allclose(actions.std(axis=0), 0.1, atol=0.01)
    assert distribution.odds.shape == (1, 0)
