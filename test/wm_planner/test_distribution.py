from __future__ import annotations

import numpy as np
import pytest

from wm_planner.action_space import ActionSpace
from wm_planner.optimisers._distribution import EXPLORATION, ActionDistribution

SPACE = ActionSpace([-1, -1, -1, 0, 0, 0, -0.75], [1, 1, 1, 0, 0, 0, 0.75], (-0.75, 0.0, 0.75))
HALF = np.full(7, 0.5)
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
    distribution.fit(elites, HALF, HALF, np.full(7, 0.02))
    assert np.isclose(distribution.mean[0, 0], 0.2) and np.isclose(distribution.mean[0, 1], 0.05)
    assert np.isclose(distribution.std[0, 0], 0.25) and np.isclose(distribution.std[0, 1], 0.3)
    for _ in range(30):
        distribution.fit(elites, HALF, HALF, np.full(7, 0.02))
    assert distribution.std[0, 0] == 0.02
    np.testing.assert_allclose(distribution.odds[0], [EXPLORATION / 3, EXPLORATION / 3, 1 - 2 * EXPLORATION / 3])
    assert distribution.centre()[0, 6] == 0.75


def test_without_levels_the_gripper_is_one_more_gaussian():
    space = ActionSpace([-1] * 7, [1] * 7)
    distribution = ActionDistribution(space, np.zeros((1, 7)), np.full((1, 7), 0.1))
    actions = distribution.sample(RNG.standard_normal((2000, 1, 7)), RNG.random((2000, 1)))
    np.testing.assert_allclose(actions.std(axis=0), 0.1, atol=0.01)
    assert distribution.odds.shape == (1, 0)


def test_a_sample_deviation_divides_by_one_less_and_one_elite_says_nothing_of_it():
    elites = np.zeros((3, 1, 7))
    elites[:, 0, 0] = -0.1, 0.0, 0.1
    for sample_std, wanted in ((False, np.sqrt(0.02 / 3)), (True, 0.1)):
        distribution = ActionDistribution(SPACE, np.zeros((1, 7)), np.full((1, 7), 0.5))
        distribution.fit(elites, np.zeros(7), np.zeros(7), np.zeros(7), sample_std)
        np.testing.assert_allclose(distribution.std[0, 0], wanted)
    distribution.fit(elites[:1], np.zeros(7), np.zeros(7), np.zeros(7), True)
    np.testing.assert_allclose(distribution.std[0, 0], 0.1)
    assert distribution.mean[0, 0] == -0.1


def test_each_dimension_keeps_its_own_share():
    distribution = ActionDistribution(SPACE, np.ones((1, 7)), np.ones((1, 7)))
    distribution.fit(np.zeros((4, 1, 7)), np.linspace(0.0, 0.6, 7), np.linspace(0.6, 0.0, 7), np.zeros(7))
    np.testing.assert_allclose(distribution.mean[0], np.linspace(0.0, 0.6, 7))
    np.testing.assert_allclose(distribution.std[0], np.linspace(0.6, 0.0, 7))
    np.testing.assert_allclose(distribution.odds[0], 0.6 / 3 + 0.4 * np.array([0.1 / 3, 1 - 0.2 / 3, 0.1 / 3]))


def test_levels_may_be_drawn_from_a_gaussian():
    distribution = ActionDistribution(SPACE, np.zeros((1, 7)), np.full((1, 7), 0.2), levels=False)
    assert distribution.continuous.tolist() == [0, 1, 2, 6] and distribution.odds.shape == (1, 0)
    actions = distribution.sample(RNG.standard_normal((2000, 1, 4)), RNG.random((2000, 1)))
    np.testing.assert_allclose(actions[..., [0, 1, 2, 6]].std(axis=0), 0.2, atol=0.02)


def test_odds_that_are_proposed_leave_every_level_a_chance():
    distribution = ActionDistribution(SPACE, np.zeros((2, 7)), np.full((2, 7), 0.2))
    distribution.take_odds(np.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(distribution.odds, [[0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3], [1 / 3] * 3])
    with pytest.raises(ValueError, match="odds for 2 gripper levels, not 3"):
        distribution.take_odds(np.array([[0.5, 0.5]]))
