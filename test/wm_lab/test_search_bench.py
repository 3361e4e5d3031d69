from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wm_core.errors import ConfigError
from wm_lab.search_bench import MIDDLE_STATE, PAPER, ablation, cheapest_equal, measure, random_queries
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_planner.optimisers.cem import CemConfig

SETTING = CemConfig(samples=64, iterations=3, elites=8)


@pytest.fixture(scope="module")
def model():
    made = imagination.load(Bundle.load(Path(__file__).parents[2] / "models" / "panda_pick_place"))
    yield made
    made.close()


def test_a_benchmark_says_how_long_and_how_far(model) -> None:
    queries = random_queries(model, 3)
    row = measure(model, SETTING, 2, queries, repeats=4)
    assert 0.0 < row.p50_ms <= row.p99_ms and row.rollouts == 192
    assert row.energy < 0.7 * row.still_energy
    assert measure(model, SETTING, 2, queries, repeats=2).energy == row.energy
    for repeats, some in ((0, queries), (1, [])):
        with pytest.raises(ConfigError):
            measure(model, SETTING, 2, some, repeats)


def test_goals_are_where_the_model_believes_that_actions_lead(model) -> None:
    (now, goal), (other, _) = random_queries(model, 2, steps=1)
    assert model.distance(now, goal) > 0.0 and not np.array_equal(model.show(now), model.show(other))
    rng = np.random.default_rng(0)
    rng.standard_normal(model.latent_shape, dtype=np.float32)
    actions = rng.uniform(model.spec.action.low, model.spec.action.high, (1, 7))
    assert model.surprise(now, MIDDLE_STATE, actions, goal) == pytest.approx(0.0, abs=1e-9)


def test_fewer_rollouts_that_get_as_far_are_found(model) -> None:
    grid = ((100, 6, 8), (8, 1, 2), (200, 8, 10))
    reference = CemConfig(samples=200, iterations=8)
    rows = list(cheapest_equal(model, reference, 2, random_queries(model, 3), 1, grid=grid))
    assert rows[0].share == 1.0 and rows[1].rollouts == 8 and rows[1].share < 0.99
    assert [row.rollouts for row in rows[1:]] == sorted(row.rollouts for row in rows[1:])
    with pytest.raises(ConfigError, match="share"):
        next(cheapest_equal(model, reference, 2, [], share=0.0))


def test_an_ablation_goes_from_the_paper_to_the_setting_one_change_at_a_time() -> None:
    rows = list(ablation(SETTING))
    assert rows[0][1] == replace(PAPER, samples=64, iterations=3, elites=8) and rows[-1][1] == SETTING
    changed = [
        sum(getattr(a, name) != getattr(b, name) for name in vars(a))
        for (_, a), (_, b) in itertools.pairwise(rows[:-1])
    ]
    assert set(changed) <= {0, 1} and rows[1][0] == "answer = best"
