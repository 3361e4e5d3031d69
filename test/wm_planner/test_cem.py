from __future__ import annotations

import numpy as np
import pytest

from wm_core.config import from_dict
from wm_core.errors import ConfigError
from wm_models.imagination import Proposed
from wm_planner.action_space import ActionSpace
from wm_planner.optimisers.cem import Cem, CemConfig

SPACE = ActionSpace([-1, -1, -1, 0, 0, 0, -0.75], [1, 1, 1, 0, 0, 0, 0.75], (-0.75, 0.0, 0.75))
BEST = np.array([[0.3, -0.2, 0.1, 0, 0, 0, 0.75], [0.0, 0.4, -0.6, 0, 0, 0, 0.0]])


class Bowl:
    """Costs are squared distances to ``best``; everything is feasible but what ``refuse`` says."""

    space, horizon = SPACE, 2
    scale = np.array([1, 1, 1, 0, 0, 0, 0.75])

    def __init__(self, best=BEST, refuse=None):
        self.best, self.refuse, self.batches = best, refuse, []

    def project(self, actions):
        return self.space.conform(actions)

    def score(self, actions):
        self.batches.append(actions.copy())
        costs = np.square(actions - self.best).sum(axis=(1, 2))
        return costs if self.refuse is None else np.where(self.refuse(actions), np.inf, costs)


def test_it_finds_the_bottom_of_a_bowl_and_the_right_gripper_levels():
    solution = Cem(CemConfig(iterations=12)).optimise(Bowl())
    np.testing.assert_allclose(solution.actions, BEST, atol=0.05)
    np.testing.assert_array_equal(solution.actions[:, 6], BEST[:, 6])
    np.testing.assert_array_equal(solution.actions[:, 3:6], 0.0)


def test_elites_are_sorted_and_the_solution_is_no_worse():
    problem = Bowl()
    solution = Cem(CemConfig()).optimise(problem)
    assert np.all(np.diff(solution.elite_costs) >= 0)
    assert solution.elites.shape == (24, 2, 7)
    assert solution.cost <= solution.elite_costs[0]
    assert solution.cost == problem.score(solution.actions[None])[0]
    assert solution.cost <= min(problem.score(batch).min() for batch in problem.batches[:6])


def test_every_iteration_scores_the_same_number_once():
    problem = Bowl()
    Cem(CemConfig(samples=50, iterations=3, elites=10)).optimise(problem)
    assert [len(batch) for batch in problem.batches] == [50, 50, 50, 2]


def test_the_seed_decides():
    def plans(optimiser):
        return [optimiser.optimise(Bowl()).actions for _ in range(3)]

    one, other = Cem(CemConfig(seed=1)), Cem(CemConfig(seed=1))
    first = plans(one)
    np.testing.assert_array_equal(first, plans(other))
    assert not np.array_equal(first, plans(one))
    one.reset()
    np.testing.assert_array_equal(first, plans(one))
    assert not np.array_equal(first, plans(Cem(CemConfig(seed=2))))


def test_standing_still_and_the_rest_of_the_last_plan_compete():
    optimiser, problem = Cem(CemConfig()), Bowl()
    last = optimiser.optimise(problem).actions
    problem.batches.clear()
    optimiser.optimise(problem, elapsed_steps=1)
    np.testing.assert_array_equal(problem.batches[0][0], np.zeros((2, 7)))
    np.testing.assert_array_equal(problem.batches[0][1], np.stack([last[1], np.zeros(7)]))


@pytest.mark.parametrize(("elapsed", "rest"), [(0, 2), (1, 1), (2, 0), (99, 0)])
def test_the_warm_start_is_what_was_not_executed(elapsed, rest):
    optimiser, problem = Cem(CemConfig()), Bowl()
    last = optimiser.optimise(problem).actions
    problem.batches.clear()
    optimiser.optimise(problem, elapsed)
    np.testing.assert_array_equal(problem.batches[0][1][:rest], last[2 - rest :])
    np.testing.assert_array_equal(problem.batches[0][1][rest:], 0.0)


def test_a_warm_start_gets_further_in_few_iterations():
    far = np.tile([2.5, 0, 0, 0, 0, 0, 0.0], (2, 1)) / 3
    config = CemConfig(samples=24, iterations=1, elites=6, initial_std=0.2)
    warm = Cem(config)
    for _ in range(8):
        solution = warm.optimise(Bowl(far), elapsed_steps=0)
    assert solution.cost < 0.3 * Cem(config).optimise(Bowl(far)).cost
    cold = Cem(CemConfig(samples=24, iterations=1, elites=6, initial_std=0.2, warm_start=False))
    for _ in range(8):
        solution = cold.optimise(Bowl(far), elapsed_steps=0)
    assert solution.cost > 0.3


def test_the_unusable_never_wins_even_where_it_is_best():
    solution = Cem(CemConfig()).optimise(Bowl(refuse=lambda a: a[:, 0, 0] > 0.0))
    assert solution.actions[0, 0] <= 0.0
    assert np.all(solution.elites[:, 0, 0] <= 0.0)


def test_nothing_usable_is_no_solution():
    optimiser = Cem(CemConfig())
    assert optimiser.optimise(Bowl()) is not None
    assert optimiser.optimise(Bowl(refuse=lambda a: np.ones(len(a), dtype=bool))) is None
    problem = Bowl()
    assert optimiser.optimise(problem) is not None
    np.testing.assert_array_equal(problem.batches[0][1], 0.0)


def test_fewer_usable_candidates_than_elites_are_enough():
    solution = Cem(CemConfig(samples=24, iterations=1)).optimise(Bowl(refuse=lambda a: np.arange(len(a)) > 0))
    assert len(solution.elites) == 1 and np.isfinite(solution.cost)


def test_proposals_compete_and_lead():
    problem = Bowl()
    config = CemConfig(samples=32, iterations=1, elites=8)
    solution = Cem(config).optimise(problem, proposed=Proposed(candidates=BEST[None]))
    np.testing.assert_array_equal(solution.actions, BEST)
    mean = np.concatenate([BEST, np.ones((3, 7))])
    problem.batches.clear()
    Cem(config).optimise(problem, proposed=Proposed(mean, np.full((5, 7), 1e-9)))
    spread = problem.batches[0][3:, :, :3].std(axis=0)
    np.testing.assert_allclose(spread, 0.05, rtol=0.5)
    np.testing.assert_allclose(problem.batches[0][3:, :, :3].mean(axis=0), BEST[:, :3], atol=0.05)


def test_a_short_proposal_is_followed_by_standing_still_and_too_many_are_cut():
    problem = Bowl()
    Cem(CemConfig(samples=24)).optimise(problem, proposed=Proposed(candidates=np.full((100, 1, 7), 0.5)))
    assert len(problem.batches[0]) == 24
    np.testing.assert_array_equal(problem.batches[0][2:, 1], 0.0)


@pytest.mark.parametrize(
    "proposed", [{"actions": np.full((2, 7), np.nan)}, {"candidates": np.zeros((2, 7))}, {"spread": np.zeros((2, 6))}]
)
def test_a_proposal_that_is_no_plan_is_refused(proposed):
    with pytest.raises(ValueError, match="proposal"):
        Proposed(**proposed)


@pytest.mark.parametrize(
    "values",
    [
        {"samples": 0}, {"iterations": 0}, {"elites": 0}, {"kept_elites": -1}, {"elites": 300}, {"warm_std": 1.5},
        {"momentum_std": 1.0}, {"momentum_gripper": -0.1}, {"initial_std_gripper": float("inf")}, {"answer": "worst"},
        {"kept_elites": 25}, {"momentum": 1.0}, {"momentum": -0.1}, {"momentum": float("nan")}, {"initial_std": -1.0},
        {"initial_std": 0.01}, {"least_std": float("nan")}, {"initial_std": float("inf")}, {"seed": -1}, {"smaples": 3},
    ],
)  # fmt: skip
def test_nonsense_is_refused(values):
    with pytest.raises(ConfigError):
        from_dict(CemConfig, values)
