from __future__ import annotations

import numpy as np
import pytest

from wm_planner.costs import GoalEnergy, GripperSwitch, Smoothness, Trust

LATENTS = np.random.default_rng(0).normal(size=(5, 3, 1, 7)).astype(np.float32)
ACTIONS = np.random.default_rng(1).normal(size=(5, 3, 7))
GOAL = np.ones((1, 7), dtype=np.float32)


def test_final_looks_at_the_last_step_only(additive):
    wanted = np.square(LATENTS[:, -1] - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(GoalEnergy(additive(), GOAL)(LATENTS, ACTIONS), wanted, rtol=1e-6)


@pytest.mark.parametrize("final_weight", [0.0, 1.0, 3.0])
def test_cumulative_is_a_weighted_mean_over_the_steps(additive, final_weight):
    each = np.square(LATENTS - 1).mean(axis=(2, 3))
    wanted = (each[:, 0] + each[:, 1] + final_weight * each[:, 2]) / (2 + final_weight)
    cost = GoalEnergy(additive(), GOAL, "cumulative", final_weight)
    np.testing.assert_allclose(cost(LATENTS, ACTIONS), wanted, rtol=1e-6)


def test_smoothness_prices_changes_and_not_motion():
    steady = np.repeat(np.random.default_rng(2).normal(size=(4, 1, 7)), 3, axis=1)
    np.testing.assert_array_equal(Smoothness(1.0, 0.05)(LATENTS, steady), np.zeros(4))
    turn = np.zeros((1, 2, 7))
    turn[0, 0, 0], turn[0, 1, 0] = 0.05, -0.05
    assert Smoothness(0.1, 0.05)(LATENTS, turn)[0] == pytest.approx(0.4)
    assert Smoothness(0.1, 0.05)(LATENTS, turn[:, :1])[0] == 0.0
    assert Smoothness(0.1, 0.0)(LATENTS, turn)[0] == 0.0


def test_every_gripper_switch_is_priced():
    actions = np.zeros((3, 2, 7))
    actions[1, 0, 6] = 1.0
    actions[2, :, 6] = [1.0, -1.0]
    np.testing.assert_allclose(GripperSwitch(0.1)(np.zeros((3, 2, 1, 1)), actions), [0.0, 0.1, 0.2])


def test_trust_is_free_at_the_proposal_and_grows_with_the_square():
    mean = np.zeros((2, 7))
    mean[:, 0] = 0.02
    scale = np.array([0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 1.0])
    actions = np.tile(mean, (3, 1, 1))
    actions[1, :, 1] += 0.05
    actions[2, :, 1] += 0.10
    price = Trust(0.5, mean, scale)(np.zeros((3, 2, 1, 1)), actions)
    np.testing.assert_allclose(price, [0.0, 0.5, 2.0])


def test_trust_ignores_steps_beyond_the_proposal():
    actions = np.zeros((1, 3, 7))
    actions[0, 2, 0] = 0.05
    price = Trust(1.0, np.zeros((2, 7)), np.full(7, 0.05))(np.zeros((1, 3, 1, 1)), actions)
    np.testing.assert_allclose(price, [0.0])
