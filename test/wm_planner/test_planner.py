from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from wm_core.config import from_dict
from wm_core.errors import BundleError, ConfigError, GoalError
from wm_core.limits import Limits
from wm_core.path import flange_state
from wm_core.pose import integrate
from wm_models.imagination import Proposed
from wm_planner.costs import Cost
from wm_planner.costs.goal import Goal
from wm_planner.costs.smoothness import Smoothness
from wm_planner.costs.term import Term
from wm_planner.gates import Gate
from wm_planner.optimisers import Solution
from wm_planner.optimisers.cem import CemConfig
from wm_planner.planner import Planner, PlannerConfig
from wm_planner.proposals import Proposal, ProposalConfig
from wm_planner.subgoals import SubgoalConfig

ORIGIN = np.zeros((1, 7), dtype=np.float32)
SMALL = PlannerConfig(optimiser=CemConfig(samples=96, iterations=4, elites=12))
TINY = CemConfig(samples=8, elites=2, kept_elites=1)


def goal(*values):
    """A goal latent of the additive model: the sum of actions that leads there."""
    latent = np.zeros((1, 7), dtype=np.float32)
    latent[0, : len(values)] = values
    return latent


@pytest.fixture
def planner(additive):
    return Planner(additive(), Limits(), SMALL)


def test_it_goes_towards_the_goal_as_fast_as_it_may(planner, state):
    planner.set_goals([goal(1.0, 1.0)])
    result = planner.plan(ORIGIN, state, 10.0)
    assert not result.hold and result.reason == "" and not result.done
    assert result.actions.shape == (2, 7)
    assert np.all(result.actions[:, :2] > 0.02)
    np.testing.assert_allclose(np.linalg.norm(result.actions[:, :3], axis=1), 0.05, atol=0.005)
    assert result.guardrail == "step"
    assert result.energy < result.goal_energy == pytest.approx(2 / 7)
    assert (result.subgoal, result.subgoals) == (0, 1)
    assert result.paths.shape == (12, 3, 3)
    np.testing.assert_allclose(result.paths[:, 0], np.tile(state[:3], (12, 1)))
    assert 0.0 < result.infeasible_fraction <= 1.0 and result.plan_ms > 0.0


def test_a_goal_within_reach_is_met(additive, state):
    planner = Planner(additive(), Limits(), PlannerConfig(optimiser=CemConfig(iterations=12)))
    target = goal(0.03, -0.02, 0.04, 0.0, 0.0, 0.1, 0.75)
    planner.set_goals([target])
    result = planner.plan(ORIGIN, state, 0.0)
    np.testing.assert_allclose(result.actions.sum(axis=0), target[0], atol=0.01)
    assert result.guardrail == "ok"


def test_closed_loop_through_sub_goals_until_done(additive, state):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(0.1), goal(0.1, 0.1), goal(0.1, 0.1, 0.1)])
    latent, seen = ORIGIN.astype(np.float64), []
    for k in range(40):
        result = planner.plan(latent, state, 0.5 * k)
        seen.append(result.subgoal)
        if result.done:
            break
        assert not result.hold and not result.reached
        latent, state = latent + result.actions[:1], integrate(state, result.actions[0])
    assert result.done and result.reached and result.hold and result.reason == "goal reached"
    assert result.outcomes == ("reached",) * 3
    assert sorted(set(seen)) == [0, 1, 2] and seen == sorted(seen)
    np.testing.assert_allclose(latent[0, :3], 0.1, atol=0.06)
    assert np.all(result.actions == 0.0)


def test_equal_inputs_give_equal_plans(additive, state):
    def plans(planner):
        return [planner.plan(ORIGIN, state, 0.5 * k).actions for k in range(3)]

    one, other = (Planner(additive(), Limits(), SMALL) for _ in range(2))
    for planner in (one, other):
        planner.set_goals([goal(0.3, 0.1)])
    first = plans(one)
    np.testing.assert_array_equal(first, plans(other))
    one.reset()
    np.testing.assert_array_equal(first, plans(one))


@pytest.mark.parametrize(("passed_s", "shift"), [(0.1, 0), (0.5, 1), (0.55, 1), (9.0, 2), (-5.0, 0)])
def test_the_warm_start_is_shifted_by_the_steps_that_have_passed(additive, state, passed_s, shift):
    model = additive()
    planner = Planner(model, Limits(), SMALL)
    planner.set_goals([goal(0.3, 0.1)])
    last = planner.plan(ORIGIN, state, 100.0).actions
    model.asked.clear()
    planner.plan(ORIGIN, state, 100.0 + passed_s)
    wanted = np.concatenate([last[shift:], np.zeros((shift, 7))])
    np.testing.assert_allclose(model.asked[0][1][1], wanted, atol=1e-6)


def test_without_goals_it_holds(planner, state):
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and result.reason == "no goal images yet" and result.subgoals == 0
    assert np.all(result.actions == 0.0)


@pytest.mark.parametrize(
    ("latent", "measured", "stamp_s", "reason"),
    [
        (ORIGIN * np.nan, None, 0.0, "latent holds"),
        (np.zeros((2, 7)), None, 0.0, "latent has shape"),
        (np.zeros(7), None, 0.0, "latent has shape"),
        (np.full((1, 7), 1e300), None, 0.0, "latent holds"),
        ("what", None, 0.0, "cannot use"),
        (None, None, 0.0, "latent has shape"),
        (ORIGIN, np.zeros(6), 0.0, "state has shape"),
        (ORIGIN, np.full(7, np.inf), 0.0, "state holds"),
        (ORIGIN, [None] * 7, 0.0, "state holds"),
        (ORIGIN, None, np.nan, "stamp holds"),
        (ORIGIN, None, "noon", "cannot use"),
    ],
)
def test_bad_input_is_held_and_named(planner, state, latent, measured, stamp_s, reason):
    planner.set_goals([goal(1.0)])
    result = planner.plan(latent, state if measured is None else measured, stamp_s)
    assert result.hold and reason in result.reason and np.all(result.actions == 0.0)
    assert not planner.plan(ORIGIN, state, 1.0).hold


@pytest.mark.parametrize("goals", [[], [np.zeros((2, 7))], np.zeros((1, 7)), [goal(np.nan)], [goal(3e38), goal(-3e38)]])
def test_bad_goals_are_refused_and_leave_those_in_use(planner, state, goals):
    with np.errstate(over="ignore"), pytest.raises(GoalError):
        planner.set_goals(goals)
    assert planner.plan(ORIGIN, state, 0.0).reason == "no goal images yet"
    planner.set_goals([goal(1.0), goal(2.0)])
    with np.errstate(over="ignore"), pytest.raises(GoalError):
        planner.set_goals(goals)
    result = planner.plan(ORIGIN, state, 0.0)
    assert not result.hold and result.subgoals == 2


def test_new_goals_start_over(planner, state):
    planner.set_goals([goal(0.0), goal(0.0)])
    for k in range(4):
        result = planner.plan(ORIGIN, state, 0.5 * k)
    assert result.done and not result.reached and result.outcomes == ("passed", "passed")
    assert result.reason.startswith("the last goal was not reached"), "the arm has not moved"
    planner.set_goals([goal(1.0), goal(2.0)])
    result = planner.plan(ORIGIN, state, 3.0)
    assert not result.hold and not result.done and result.subgoal == 0


def test_a_goal_that_ends_by_its_budget_is_not_reached(additive, state):
    never = SubgoalConfig(budget_steps=2.0, done_budget_steps=2.0)
    planner = Planner(additive(), Limits(), PlannerConfig(optimiser=TINY, subgoals=never))
    planner.set_goals([goal(5.0), goal(9.0)])
    for k in range(9):
        result = planner.plan(ORIGIN, integrate(state, [0.01 * k, 0, 0, 0, 0, 0, 0]), 0.5 * k)
    assert result.done and not result.reached and result.outcomes == ("passed", "passed")
    assert "its time was over" in result.reason


def test_while_the_arm_does_not_follow_no_time_passes_and_no_goal_ends(additive, state):
    never = SubgoalConfig(budget_steps=3.0)
    planner = Planner(additive(), Limits(), PlannerConfig(optimiser=TINY, subgoals=never))
    planner.set_goals([goal(5.0), goal(9.0)])
    assert [planner.plan(ORIGIN, state, 0.5 * k).subgoal for k in range(3)] == [0, 0, 0]
    for k in range(3, 60):
        held = planner.plan(goal(5.0), state, 0.5 * k, running=False)
        assert not held.hold and held.subgoal == 0 and held.outcomes == ()
    planner.pause()
    assert planner.plan(ORIGIN, state, 30.0).subgoal == 0, "from the last frame of the hold to this one neither"
    assert planner.plan(ORIGIN, state, 30.5).subgoal == 1


def test_an_arm_that_is_moved_while_it_does_not_follow_has_not_reached_anything(additive, state):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(0.0)])
    planner.plan(ORIGIN, state, 0.0)
    elsewhere = integrate(state, [0.05, 0, 0, 0, 0, 0, 0])
    planner.plan(ORIGIN, elsewhere, 0.5, running=False)
    for k in range(4):
        result = planner.plan(ORIGIN, elsewhere, 1.0 + 0.5 * k)
    assert result.done and not result.reached


@pytest.mark.parametrize("change", [[0.006, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, -0.06, 0], [0, 0, 0, 0, 0, 0, 0.2]])
def test_moving_turning_and_closing_the_hand_is_motion(additive, state, change):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(0.0)])
    for k in range(4):
        result = planner.plan(ORIGIN, integrate(state, change) if k else state, 0.5 * k)
    assert result.done and result.reached


def test_goals_are_copied(planner, state):
    goals = np.stack([goal(1.0)])
    planner.set_goals(goals)
    goals[:] = np.nan
    assert not planner.plan(ORIGIN, state, 0.0).hold


def test_from_outside_the_box_it_comes_back(additive, state):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(1.0, 0.0, -1.0)])
    state[0], state[2] = 0.72, 0.01
    result = planner.plan(ORIGIN, state, 0.0)
    assert not result.hold and result.guardrail == "box"
    assert np.all(result.actions[:, 0] <= 1e-9) and np.all(result.actions[:, 2] >= -1e-9)


def test_zero_limits_mean_no_motion(additive, state):
    still = Limits(step_m=0.0, step_rad=0.0)
    planner = Planner(additive(), still, SMALL)
    planner.set_goals([goal(1.0, 1.0, 1.0, 1.0)])
    np.testing.assert_array_equal(planner.plan(ORIGIN, state, 0.0).actions[:, :6], 0.0)


def test_a_flange_model_is_asked_about_the_flange(additive, state):
    model = additive(pose_frame="flange")
    planner = Planner(model, Limits(), SMALL)
    planner.set_goals([goal(0.1, 0.0, 0.0, 0.1)])
    result = planner.plan(ORIGIN, state, 0.0)
    asked_state, asked = model.asked[0]
    np.testing.assert_allclose(asked_state, flange_state(state), atol=1e-6)
    turning = np.abs(asked[:, 0, 3:5]).max(axis=1) > 0.05
    assert turning.any()
    assert not result.hold and np.linalg.norm(result.actions[0, :3]) <= 0.05 + 1e-9


def test_no_feasible_plan_is_a_hold(hostile, state):
    planner = Planner(hostile("nan"), Limits(), SMALL)
    planner.set_goals([goal(1.0)])
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and "no candidate is feasible" in result.reason and np.isfinite(result.goal_energy)


@pytest.mark.parametrize("error", [ValueError("odd"), BundleError("broken"), FloatingPointError("inf")])
def test_a_model_that_fails_is_a_hold_with_its_words(additive, state, monkeypatch, error):
    model = additive()
    planner = Planner(model, Limits(), SMALL)
    planner.set_goals([goal(1.0)])

    def fail(*_):
        raise error

    monkeypatch.setattr(model, "imagine", fail)
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and str(error) in result.reason


def test_an_energy_to_the_goal_that_is_not_finite_is_a_hold(additive, state, monkeypatch):
    model = additive()
    planner = Planner(model, Limits(), SMALL)
    planner.set_goals([goal(1.0)])
    monkeypatch.setattr(model, "distance", lambda now, goal: float("nan"))
    assert "energy to the goal" in planner.plan(ORIGIN, state, 0.0).reason


def test_an_optimiser_that_breaks_a_guardrail_is_not_obeyed(additive, state, monkeypatch):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(1.0)])
    wild = np.full((2, 7), 0.3)
    rogue = SimpleNamespace(optimise=lambda *_: Solution(wild, -1.0, wild[None], np.zeros(1)), reset=lambda: None)
    monkeypatch.setattr(planner, "_optimiser", rogue)
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and np.all(result.actions == 0.0)


class Guess(Proposal):
    """A proposal that keeps what it was asked."""

    def __init__(self, found):
        self.found, self.asked, self.forgotten = found, [], 0

    def propose(self, now, goal, state, horizon):
        self.asked.append((now.shape, goal.shape, state.shape, horizon))
        return self.found

    def reset(self):
        self.forgotten += 1


@dataclasses.dataclass(frozen=True)
class GuessConfig(ProposalConfig):
    guess: Guess | None = None

    def make(self, model):
        return self.guess


def test_a_proposal_is_used(additive, state):
    guess = Guess(Proposed(candidates=np.full((1, 2, 7), 0.02)))
    model = additive()
    planner = Planner(model, Limits(), dataclasses.replace(SMALL, proposal=GuessConfig(guess=guess)))
    planner.set_goals([goal(1.0)])
    assert not planner.plan(ORIGIN, state, 0.0).hold
    assert guess.asked == [((1, 7), (1, 7), (7,), 2)] and guess.forgotten == 1
    np.testing.assert_allclose(model.asked[0][1][2, 0, :3], 0.02, atol=1e-6)


def test_a_gate_turns_a_plan_into_a_hold_and_the_first_sentence_is_said(additive, state):
    moments = []

    @dataclasses.dataclass(frozen=True)
    class Shut(Gate):
        kind: str = "shut"
        says: str = ""

        def __call__(self, moment):
            moments.append(moment)
            return self.says

    gates = {"b": Shut(says="second"), "a": Shut(says=""), "c": Shut(says="third")}
    planner = Planner(additive(), Limits(), dataclasses.replace(SMALL, gates=gates))
    planner.set_goals([goal(1.0)])
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and result.reason == "second" and np.all(result.actions == 0.0) and len(moments) == 2
    assert moments[0].before is None and moments[0].plan.shape == (2, 7) and moments[0].plan[0, 0] > 0.0
    for stamp_s, fresh in ((0.5, True), (0.6, False), (3.0, False)):
        moments.clear()
        planner.plan(ORIGIN, state, stamp_s)
        assert (moments[0].before is not None) == fresh


@dataclasses.dataclass(frozen=True)
class Rogue(Cost):
    """A cost of somebody else's that does what it should not."""

    kind: str = "rogue"
    act: object = None

    def __call__(self, candidates):
        return self.act(candidates)


def lift(candidates):
    candidates.query.state[2] = 0.5
    return 1e3 * candidates.actions[..., 2].sum(axis=1)


@pytest.mark.parametrize(
    "act",
    [
        lift,
        lambda c: c.terms["nope"],
        lambda c: c.nothing,
        lambda c: c.space.high.fill(9.0),
        lambda c: [][1],
        lambda c: np.zeros(3),
        lambda c: None,
        lambda c: (_ for _ in ()).throw(RuntimeError("broken")),
        lambda c: (_ for _ in ()).throw(AssertionError),
    ],
)
def test_a_cost_that_misbehaves_is_a_hold_with_a_sentence(additive, state, act):
    costs = {"goal": Goal(), "rogue": Rogue(act=act)}
    planner = Planner(additive(), Limits(), dataclasses.replace(SMALL, costs=costs))
    planner.set_goals([goal(1.0)])
    state[2] = 0.025
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and result.reason and np.all(result.actions == 0.0) and "\n" not in result.reason


def test_what_a_cost_writes_over_its_candidates_reaches_nothing(additive, state):
    def scribble(candidates):
        candidates.actions[:] = 9.0
        candidates.states[:] = 9.0
        return np.zeros(len(candidates.actions))

    plans = []
    for costs in ({"goal": Goal()}, {"a": Rogue(act=scribble), "goal": Goal()}):
        planner = Planner(additive(), Limits(), dataclasses.replace(SMALL, costs=costs))
        planner.set_goals([goal(1.0)])
        plans.append(planner.plan(ORIGIN, state, 0.0))
    assert not plans[1].hold and np.linalg.norm(plans[1].actions[:, :3], axis=1).max() <= 0.05 + 1e-9


@pytest.mark.parametrize("answer", [True, None, 3])
def test_a_gate_that_gives_no_sentence_is_a_hold(additive, state, answer):
    @dataclasses.dataclass(frozen=True)
    class Odd(Gate):
        kind: str = "odd"

        def __call__(self, moment):
            return answer

    planner = Planner(additive(), Limits(), dataclasses.replace(SMALL, gates={"odd": Odd()}))
    planner.set_goals([goal(1.0)])
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and "the gate 'odd' answers" in result.reason


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (2, 6)])
def test_a_plan_of_another_shape_is_not_obeyed(additive, state, monkeypatch, shape):
    planner = Planner(additive(), Limits(), SMALL)
    planner.set_goals([goal(1.0)])
    odd = SimpleNamespace(
        optimise=lambda *_: Solution(np.zeros(shape), -1.0, np.zeros((1, 2, 7)), np.zeros(1)), reset=lambda: None
    )
    monkeypatch.setattr(planner, "_optimiser", odd)
    result = planner.plan(ORIGIN, state, 0.0)
    assert result.hold and "shape" in result.reason


def test_a_caller_may_edit_its_plan_and_its_latent(additive, state):
    planner, other = Planner(additive(), Limits(), SMALL), Planner(additive(), Limits(), SMALL)
    for one in (planner, other):
        one.set_goals([goal(1.0)])
    latent = ORIGIN.copy()
    planner.plan(latent, state, 0.0).actions[:] = 9.0
    other.plan(ORIGIN, state, 0.0)
    np.testing.assert_array_equal(planner.plan(latent, state, 0.5).actions, other.plan(ORIGIN, state, 0.5).actions)


def test_a_price_that_needs_a_proposal_is_refused_without_one():
    with pytest.raises(ConfigError, match=r"costs.trust says nothing without a proposal; set it to null"):
        from_dict(PlannerConfig, {"costs": {"goal": {}, "trust": {}}})


def test_a_term_that_the_bundle_lacks_is_refused_when_the_planner_is_made(additive):
    costs = {"goal": Goal(), "critic": Term(name="critic")}
    with pytest.raises(BundleError, match="term_critic"):
        Planner(additive(), Limits(), PlannerConfig(costs=costs))


def test_smoothness_is_priced(additive, state):
    def roughness(weight):
        costs = {"goal": Goal(mode="cumulative"), "smoothness": Smoothness(weight=weight)}
        config = dataclasses.replace(SMALL, costs=costs, horizon=3)
        planner = Planner(additive(), Limits(), config)
        planner.set_goals([goal(0.05)])
        return np.abs(np.diff(planner.plan(ORIGIN, state, 0.0).actions[:, :3], axis=0)).sum()

    assert roughness(1.0) < 0.5 * roughness(0.0)


def test_configuration():
    config = from_dict(PlannerConfig, {"optimiser": {"samples": 64}, "subgoals": {"budget_steps": 9}})
    assert config.optimiser == CemConfig(samples=64) and config.subgoals == SubgoalConfig(budget_steps=9.0)
    for values in (
        {"horizon": 0}, {"optimiser": {"samples": 0}}, {"optimiser": {"kind": "gradient_descent"}}, {"samples": 3},
        {"subgoals": {"budget": 3}}, {"optimiser": {"samples": 2.5}}, {"optimiser": {"warm_start": 1}},
        {"proposal": {"kind": "none"}}, {"gates": {"door": {}}},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            from_dict(PlannerConfig, values)


@pytest.mark.parametrize("spec", [{"step_period_s": 0.0}, {"step_period_s": np.nan}, {"pose_frame": "wrist"}])
def test_a_specification_that_cannot_be_planned_with_is_refused(additive, spec):
    with pytest.raises(ConfigError):
        Planner(additive(**spec), Limits())
