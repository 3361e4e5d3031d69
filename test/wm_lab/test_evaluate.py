"""The closed loop of evaluation, on the bundle that ships here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wm_controller.node_config import ControllerNodeConfig
from wm_core import config, results
from wm_core.errors import WmError
from wm_lab.cell import Cell
from wm_lab.collect import SIM_LIMITS
from wm_lab.evaluate import Case, Episode, report
from wm_planner.node_config import PlannerNodeConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def evaluator():
    controller = config.load(ControllerNodeConfig, ROOT / "config" / "arms" / "sim.yaml")
    settings = config.load(PlannerNodeConfig, ROOT / "config" / "planner" / "panda_pick_place.yaml")
    settings = replace(settings, limits=controller.limits)
    folder = ROOT / "models" / "panda_pick_place"
    with Cell("panda_pick_place", "own", "plain", folder, settings, controller, Case()).opened() as made:
        yield made


@pytest.fixture(scope="module")
def episodes(evaluator):
    return [evaluator.run(seed) for seed in (900_000, 900_001, 900_002)]


def test_episodes_place_the_cube_without_a_violation(episodes):
    scores = report(episodes)
    assert scores.episodes == 3
    assert scores.guardrail_violations == 0
    assert scores.placed >= 2
    assert "violations" in scores.text()


def test_the_same_seed_gives_the_same_episode(evaluator, episodes):
    again = evaluator.run(900_000)
    assert again == episodes[0] and again.timings != episodes[0].timings


def test_an_episode_is_read_as_it_was_written(episodes):
    for episode in episodes:
        again = Episode.of_record(json.loads(results.to_json(episode.record())))
        assert again == episode and again.timings == episode.timings


def test_data_are_collected_under_the_envelope_that_is_deployed(evaluator):
    assert evaluator.monitor.limits == SIM_LIMITS


def test_no_episodes_cannot_be_reported():
    with pytest.raises(WmError, match="no episode"):
        report([])


def test_hostile_goals_break_no_limit(evaluator):
    counts = evaluator.hostile(30)
    assert counts["plans"] + counts["holds"] >= 30
    assert counts["violations"] == 0
