"""The closed loop of evaluation, on the bundle that ships here."""

from pathlib import Path

import pytest

from wm_controller.node_config import ControllerNodeConfig
from wm_core import config
from wm_core.errors import WmError
from wm_lab.collect import SIM_LIMITS
from wm_lab.evaluate import Evaluator, wilson
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel
from wm_planner.planner import Planner, PlannerConfig

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Agresti and Coull (1998) and the closed form at the ends.
    [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (95, 100, 0.8882, 0.9785), (0, 0, 0.0, 1.0)],
)
def test_wilson(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.fixture(scope="module")
def evaluator():
    bundle = Bundle.load(ROOT / "models" / "panda_pick_place")
    model, imagined = WorldModel(bundle, parts=("encoder",)), imagination.load(bundle)
    controller = config.load(ControllerNodeConfig, ROOT / "config" / "arms" / "sim.yaml")
    settings = config.load(PlannerConfig, ROOT / "config" / "planner" / "panda_pick_place.yaml")
    made = Evaluator(model, Planner(imagined, controller.limits, settings), controller)
    yield made
    made.close()
    model.close()
    imagined.close()


@pytest.fixture(scope="module")
def episodes(evaluator):
    return [evaluator.run(seed) for seed in (900_000, 900_001, 900_002)]


def test_episodes_place_the_cube_without_a_violation(evaluator, episodes):
    report = evaluator.report(episodes)
    assert report.episodes == 3
    assert report.guardrail_violations == 0
    assert report.placed >= 2
    assert "violations" in report.text()


def test_the_same_seed_gives_the_same_episode(evaluator, episodes):
    assert evaluator.run(900_000) == episodes[0]


def test_data_are_collected_under_the_envelope_that_is_deployed(evaluator):
    assert evaluator.monitor.limits == SIM_LIMITS


def test_no_episodes_cannot_be_reported(evaluator):
    with pytest.raises(WmError, match="no episode"):
        evaluator.report([])


def test_hostile_goals_break_no_limit(evaluator):
    counts = evaluator.hostile(30)
    assert counts["plans"] + counts["holds"] >= 30
    assert counts["violations"] == 0
