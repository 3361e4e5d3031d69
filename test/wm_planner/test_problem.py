from __future__ import annotations

import numpy as np

from wm_core.limits import Limits
from wm_planner.action_space import ActionSpace
from wm_planner.costs import Query
from wm_planner.costs.goal import Goal
from wm_planner.problem import PlanningProblem

ORIGIN, GOAL = np.zeros((1, 7), dtype=np.float32), np.ones((1, 7), dtype=np.float32)


def make(model, state, limits=None):
    action = model.spec.action
    space = ActionSpace(action.low, action.high, action.gripper_levels)
    limits = Limits() if limits is None else limits
    return PlanningProblem(model, space, limits, 2, [Goal()], Query(ORIGIN, GOAL, state, 1.0))


def test_what_breaks_a_guardrail_costs_infinity_whatever_the_model_says(hostile, state):
    problem = make(hostile("huge steps"), state)
    costs = problem.score(np.array([np.zeros((2, 7)), np.full((2, 7), 0.2), np.full((2, 7), np.nan)]))
    assert np.isfinite(costs[0]) and np.all(costs[1:] == np.inf)


def test_costs_are_finite_or_plus_infinity(hostile, state):
    for mood in ("nan", "some nan", "-inf", "+inf"):
        costs = make(hostile(mood), state).score(np.zeros((50, 2, 7)))
        assert np.all(np.isfinite(costs) | (costs == np.inf))


def test_projection_counts_what_it_corrects(additive, state):
    problem = make(additive(), state)
    wanted = np.zeros((4, 2, 7))
    wanted[1:, 1, 0] = 0.01, 0.05, 0.9
    wanted[3, 0, 1] = 0.05
    wanted[2, 1, 1] = 0.05
    feasible = problem.project(wanted)
    assert np.isfinite(problem.score(feasible)).all()
    assert problem.infeasible_fraction == 0.25, "a model's own range is no limit; only one step is too long"


def test_scale_is_the_tighter_of_range_and_limits(additive, action_range, state):
    high = (0.02, 0.5, 0.0, 0.0, 0.0, 0.5, 0.75)
    model = additive(action=action_range(tuple(-h for h in high), high))
    np.testing.assert_allclose(make(model, state).scale, [0.02, 0.05, 0, 0, 0, 0.15, 0.75])


def test_the_model_gets_copies(hostile, state):
    before, actions = state.copy(), np.full((2, 2, 7), 0.01)
    make(hostile("scribble"), state).score(actions)
    np.testing.assert_array_equal(state, before)
    np.testing.assert_array_equal(actions, 0.01)
