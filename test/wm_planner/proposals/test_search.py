from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from wm_core import config, pose
from wm_core.errors import BundleError, ConfigError
from wm_core.limits import Limits
from wm_models import architectures
from wm_models.bundle import ActionSpec, BundleSpec, LatentSpec, PreprocessSpec, write_bundle
from wm_models.search import SearchConfig
from wm_models.world_model import WorldModel
from wm_planner import guardrails
from wm_planner.path import flange_state, integrate_path
from wm_planner.planner import Planner, PlannerConfig
from wm_planner.proposals import SearchProposal, bundled

PRESET = Path(__file__).parents[3] / "config" / "planner" / "vjepa2_ac.yaml"
SHAPE = (4, 12)
MODEL = {
    "image_px": 32,
    "encoder": {"width": 12, "depth": 1, "heads": 1, "hidden": 24},
    "predictor": {"width": 12, "depth": 1, "heads": 1, "hidden": 24},
    "extrinsics_weight": False,
}
SEARCH = SearchConfig(samples=64, iterations=3, elites=6)


@pytest.fixture(scope="module")
def make_bundle(tmp_path_factory):
    """make_bundle(pose frame, value of the last bias) -> a tiny V-JEPA 2-AC with weights that are not near zero."""

    def make(frame="flange", bias=0.1):
        folder = tmp_path_factory.mktemp("search")
        torch.manual_seed(0)
        module = architectures.build("vjepa2_ac", "predictor", MODEL)
        weights = {key: 0.4 * torch.randn_like(value) for key, value in module.state_dict().items()}
        weights["action_encoder.weight"] *= 20.0
        weights["predictor_proj.bias"].fill_(bias)
        save_file(weights, folder / "predictor.safetensors")
        spec = BundleSpec(
            name="tiny",
            architecture="vjepa2_ac",
            licence="Apache-2.0",
            step_period_s=1.0,
            latent=LatentSpec(*SHAPE),
            preprocess=PreprocessSpec(32, 32),
            action=ActionSpec((-0.075,) * 3 + (0.0,) * 3 + (-0.75,), (0.075,) * 3 + (0.0,) * 3 + (0.75,)),
            pose_frame=frame,
            energy="l1",
            history=7,
            model=MODEL,
        )
        files = {"predictor.safetensors": folder / "predictor.safetensors"}
        return write_bundle(folder / "tiny", spec, files, "# Tiny\n")

    return make


def numbers(seed):
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def reachable(model, state, action):
    """The latent that an action leads to from numbers(0)."""
    given = flange_state(state) if model.spec.pose_frame == "flange" else state
    return model.rollout(numbers(0), given, np.array([[action]]))[0][0, -1]


@pytest.mark.parametrize("frame", ["tcp", "flange"])
def test_the_search_gives_the_first_candidates_the_mean_and_the_spread(make_bundle, state, frame, monkeypatch):
    proposal = SearchProposal(make_bundle(frame), SEARCH, Limits())
    plan, asked = proposal._search.plan, []

    def note(latent, goal, model_state, *, mean, position):
        asked.append((model_state, position))
        return plan(latent, goal, model_state, mean=mean, position=position)

    monkeypatch.setattr(proposal._search, "plan", note)
    proposed = proposal.propose(numbers(0), numbers(1), state)
    ((model_state, position),) = asked
    np.testing.assert_array_equal(model_state, state if frame == "tcp" else flange_state(state))
    np.testing.assert_array_equal(position, state[:3])
    found = plan(numbers(0), numbers(1), model_state, position=position)
    np.testing.assert_array_equal(proposed.mean, found.mean)
    np.testing.assert_array_equal(proposed.std, found.std)
    np.testing.assert_array_equal(proposed.candidates, [found.mean, *found.elites])
    assert len(proposed.candidates) == 7 and proposal.info()["rollout"] == "cache"
    proposal.close()


@pytest.mark.parametrize("corner", [(0.45, 0.0, 0.3), (0.69, 0.34, 0.03), (0.25, -0.35, 0.6)])
@pytest.mark.parametrize("frame", ["tcp", "flange"])
def test_what_is_proposed_breaks_no_guardrail(make_bundle, state, corner, frame):
    proposal, limits = SearchProposal(make_bundle(frame), SEARCH, Limits()), Limits()
    state = np.array([*corner, *state[3:]])
    actions = proposal.propose(numbers(0), numbers(1), state).candidates
    found = guardrails.violations(integrate_path(state, actions), actions, limits, 1.0)
    assert found.max() < 1e-6 and np.abs(actions[..., :3]).max() > 0.01


def test_a_model_that_is_not_finite_proposes_nothing_and_the_planner_holds(make_bundle, state):
    bundle = make_bundle(bias=np.nan)
    proposal = SearchProposal(bundle, SEARCH, Limits())
    proposed = proposal.propose(numbers(0), numbers(1), state)
    assert proposed.candidates is None and proposed.mean is None and proposed.std is None
    planner = Planner(WorldModel(bundle, "torch", parts=("predictor",)), Limits(), small_preset(), proposal)
    planner.set_goals([numbers(1)])
    result = planner.plan(numbers(0), state, 0.0)
    assert result.hold and not result.actions.any()


def small_preset(**changes) -> PlannerConfig:
    """The paper's preset with a search that a CPU finishes."""
    preset = config.load(PlannerConfig, PRESET)
    search = dataclasses.replace(preset.search, device="cpu", precision="float32", cuda_graph=False)
    return dataclasses.replace(preset, search=dataclasses.replace(search, samples=200, iterations=5), **changes)


@pytest.mark.parametrize("frame", ["tcp", "flange"])
def test_the_planner_checks_scores_and_returns_what_was_searched(make_bundle, state, frame):
    bundle, limits = make_bundle(frame), Limits()
    model, settings = WorldModel(bundle, "torch", parts=("predictor",)), small_preset()
    wanted = np.array([0.02, -0.03, 0.01, 0.0, 0.0, 0.0, 0.4])
    goal, energies = reachable(model, state, wanted), {}
    for name, search in (("with", settings.search), ("without", None)):
        proposal = bundled(bundle, False, search=search, limits=limits)
        planner = Planner(model, limits, settings, proposal)
        planner.set_goals([goal])
        result = planner.plan(numbers(0), state, 0.0)
        assert not result.hold and result.paths.shape == (4, 2, 3)
        path = integrate_path(state, result.actions[None])
        assert not guardrails.violations(path, result.actions[None], limits, 1.0).any()
        energies[name] = result.energy
    assert energies["with"] < 0.25 * energies["without"]
    assert energies["with"] < 0.1 * result.goal_energy


def test_tighter_limits_hold_the_search_back_as_well(make_bundle, state):
    limits = Limits(step_m=0.01, box_min_m=(0.25, -0.35, float(state[2])))
    proposed = SearchProposal(make_bundle(), SEARCH, limits).propose(numbers(0), numbers(1), state)
    moves = proposed.candidates[..., :3]
    assert np.linalg.norm(moves, axis=-1).max() <= 0.01 + 1e-7 and moves[..., 2].min() >= -1e-7


def test_a_warm_start_lasts_for_one_goal_and_until_a_reset(make_bundle, state):
    proposal = SearchProposal(make_bundle(), dataclasses.replace(SEARCH, warm_std=0.2), Limits())
    first = proposal.propose(numbers(0), numbers(1), state)
    second = proposal.propose(numbers(0), numbers(1), state)
    assert not np.array_equal(first.candidates, second.candidates)
    assert np.abs(second.mean - first.mean)[0, :3].max() < 0.05
    proposal.propose(numbers(0), numbers(2), state)
    np.testing.assert_array_equal(proposal.propose(numbers(0), numbers(1), state).candidates, first.candidates)
    bundle = make_bundle()
    planner = Planner(WorldModel(bundle, "torch", parts=("predictor",)), Limits(), small_preset(), proposal)
    planner.set_goals([numbers(1)])  # resets the planner, and with it the proposal
    np.testing.assert_array_equal(proposal.propose(numbers(0), numbers(1), state).candidates, first.candidates)


def test_the_preset_is_the_papers():
    preset = config.load(PlannerConfig, PRESET)
    search = preset.search
    assert (search.samples, search.iterations, search.elites, search.horizon) == (800, 10, 10, 1)
    assert {getattr(search, f"momentum_{name}") for name in ("mean", "std", "mean_gripper", "std_gripper")} == {0.15}
    assert (search.initial_std, search.initial_std_gripper, search.dead_zone) == (1.0, 1.0, 0.25)
    assert preset.samples >= 2 + 1 + search.elites  # standing still, the last plan, the mean, the elites
    assert preset.horizon == search.horizon and preset.iterations == 1


def test_one_start_of_the_search_at_a_time(make_bundle):
    with pytest.raises(ConfigError, match="choose one"):
        PlannerConfig(proposal=True, search=SEARCH)
    assert PlannerConfig().search is None and bundled(make_bundle(), False) is None
    with pytest.raises(ConfigError, match="samples"):
        config.from_dict(PlannerConfig, {"search": {"samples": 0}})


def test_a_bundle_without_weights_is_refused(make_bundle, tmp_path):
    source = make_bundle()
    files = {"encoder.safetensors": source.path / "predictor.safetensors"}
    bundle = write_bundle(tmp_path / "made", dataclasses.replace(source.spec, files={}), files, "# Made\n")
    with pytest.raises(BundleError, match=r"no predictor\.safetensors"):
        SearchProposal(bundle, SEARCH, Limits())


def test_the_commanded_pose_is_integrated_by_the_planner_alone(make_bundle, state):
    """What the model is told is the flange's pose; what is proposed moves the TCP by as much."""
    action = SearchProposal(make_bundle("flange"), SEARCH, Limits()).propose(numbers(0), numbers(1), state).mean[0]
    moved = pose.integrate(flange_state(state), action)
    np.testing.assert_allclose(moved, flange_state(pose.integrate(state, action)), atol=1e-12)
