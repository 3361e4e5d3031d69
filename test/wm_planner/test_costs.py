from __future__ import annotations

import numpy as np
import pytest

from wm_core.config import from_dict
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_models.imagination import Proposed
from wm_planner.action_space import ActionSpace
from wm_planner.costs import COSTS, Candidates, Cost, Query
from wm_planner.costs.goal import Goal
from wm_planner.costs.gripper_switch import GripperSwitch
from wm_planner.costs.smoothness import Smoothness
from wm_planner.costs.term import Term
from wm_planner.costs.trust import Trust
from wm_planner.planner import PlannerConfig

ENERGIES = np.random.default_rng(0).normal(size=(5, 3))
HIGH = [0.05, 0.05, 0.05, 0.0, 0.0, 0.0, 1.0]


def candidates(actions=None, proposed=None, goal_energy=1.0, high=HIGH, **terms):
    actions = np.zeros((5, 3, 7)) if actions is None else actions
    query = Query(None, None, np.zeros(7), goal_energy, proposed)
    space = ActionSpace([-h for h in high], high)
    return Candidates(actions, np.zeros((len(actions), 4, 7)), terms, query, space, Limits(step_m=0.05))


def test_final_looks_at_the_last_step_only():
    np.testing.assert_array_equal(Goal()(candidates(goal=ENERGIES)), ENERGIES[:, -1])
    assert Goal().terms == ("goal",)


@pytest.mark.parametrize("final_weight", [0.5, 1.0, 3.0])
def test_cumulative_is_a_weighted_mean_over_the_steps(final_weight):
    wanted = (ENERGIES[:, 0] + ENERGIES[:, 1] + final_weight * ENERGIES[:, 2]) / (2 + final_weight)
    cost = Goal(mode="cumulative", final_weight=final_weight)
    np.testing.assert_allclose(cost(candidates(goal=ENERGIES)), wanted, rtol=1e-12)


def test_smoothness_prices_changes_and_not_motion():
    steady = np.repeat(np.random.default_rng(2).normal(size=(4, 1, 7)), 3, axis=1)
    np.testing.assert_array_equal(Smoothness(weight=1.0)(candidates(steady)), np.zeros(4))
    turn = np.zeros((1, 2, 7))
    turn[0, 0, 0], turn[0, 1, 0] = 0.05, -0.05
    assert Smoothness(weight=0.1)(candidates(turn))[0] == pytest.approx(0.4)
    assert Smoothness(weight=0.1)(candidates(turn[:, :1]))[0] == 0.0


def test_every_gripper_switch_is_priced():
    actions = np.zeros((3, 2, 7))
    actions[1, 0, 6] = 1.0
    actions[2, :, 6] = [1.0, -1.0]
    np.testing.assert_allclose(GripperSwitch(weight=0.1)(candidates(actions)), [0.0, 0.1, 0.2])


def test_trust_is_free_at_the_proposal_and_grows_with_the_square():
    mean = np.zeros((2, 7))
    mean[:, 0] = 0.02
    actions = np.tile(mean, (3, 1, 1))
    actions[1, :, 1] += 0.05
    actions[2, :, 1] += 0.10
    price = Trust(weight=0.25)(candidates(actions, Proposed(mean), goal_energy=2.0))
    np.testing.assert_allclose(price, [0.0, 0.5, 2.0])


def test_trust_ignores_steps_beyond_the_proposal_and_is_free_without_one():
    actions = np.zeros((1, 3, 7))
    actions[0, 2, 0] = 0.05
    for proposed in (Proposed(np.zeros((2, 7))), Proposed(candidates=actions), None):
        np.testing.assert_array_equal(Trust(weight=1.0)(candidates(actions, proposed)), [0.0])


def test_a_term_of_the_bundle_is_averaged_over_the_steps():
    cost = Term(name="critic", weight=-2.0)
    np.testing.assert_allclose(cost(candidates(critic=ENERGIES)), -2.0 * ENERGIES.mean(axis=1))
    assert cost.terms == ("critic",)


def test_the_kinds_are_the_files():
    assert list(COSTS) == ["goal", "gripper_switch", "smoothness", "term", "trust"]
    for name in COSTS:
        kind = COSTS.load(name)
        assert issubclass(kind, Cost) and kind.kind == name


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ({"goal": {"mode": "sum"}}, "costs.goal: mode = 'sum' must be 'final' or 'cumulative'"),
        ({"goal": {"final_weight": 2.0}}, "nobody reads 'final_weight' unless 'mode' is cumulative"),
        ({"goal": {"mode": "cumulative", "final_weight": 0.0}}, "final_weight = 0.0 must be a finite number above 0"),
        ({"goal": {}, "trust": {"weight": -1.0}}, "costs.trust: weight = -1.0"),
        ({"goal": {}, "smoothness": {"weight": float("nan")}}, "weight = nan"),
        ({"goal": {}, "term": {}}, "needs the name of a term"),
        ({"goal": {}, "critic": {"weight": 1.0}}, "there is no cost 'critic'"),
        ({"trust": {}}, "none that asks the model"),
        ({}, "none that asks the model"),
    ],
)
def test_nonsense_is_refused(costs, words):
    with pytest.raises(ConfigError, match=words):
        from_dict(PlannerConfig, {"costs": costs})
