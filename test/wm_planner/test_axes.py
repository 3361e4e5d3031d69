"""Planning with turned axes: the planner stays in the base frame, the model gets what it would have had in training."""

from dataclasses import replace

import numpy as np
import pytest

from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_planner.axes import TurnedModel, TurnedProposal, turned
from wm_planner.optimisers.base import Proposed
from wm_planner.planner import Planner, PlannerConfig
from wm_planner.proposals.base import Remembers

AXES = Axes(np.radians(40.0), (0.45, 0.1))
START = np.zeros((1, 7), np.float32)


@pytest.fixture
def model(additive_states):
    return additive_states()


class Guess:
    """A proposal that keeps what it was asked."""

    def __init__(self, found):
        self.found, self.forgotten = found, False

    def propose(self, latent, goal, state):
        self.state = state
        return self.found

    def reset(self):
        self.forgotten = True


def test_the_model_gets_turned_states_and_actions_and_answers_in_the_base_frame(model, state):
    actions = np.random.default_rng(0).normal(size=(5, 2, 7)) * [0.02, 0.02, 0.02, 0, 0, 0, 0]
    latents, states = TurnedModel(model, AXES).rollout(START, state, actions)
    seen_state, seen_actions = model.asked[0]
    np.testing.assert_allclose(seen_state, AXES.state_to_model(state))
    np.testing.assert_allclose(seen_actions, AXES.actions_to_model(actions))
    assert latents.shape == (5, 2, 1, 7)
    np.testing.assert_allclose(states[..., :3], state[:3] + np.cumsum(actions, axis=1)[..., :3], atol=1e-12)


def test_a_model_that_saw_one_yaw_gets_the_measured_one(additive_states, action_range, state):
    pinned = additive_states(
        action=action_range(low=(-0.05,) * 3 + (0.0,) * 3 + (-1.0,), high=(0.05,) * 3 + (0.0,) * 3 + (1,))
    )
    model = TurnedModel(pinned, AXES)
    assert not model.turn_yaw
    _, states = model.rollout(START, state, np.zeros((1, 1, 7)))
    np.testing.assert_allclose(states[0, 0], state, atol=1e-12)
    assert pinned.asked[0][0][5] == state[5]
    assert not np.allclose(pinned.asked[0][0][:2], state[:2])
    held = TurnedModel(pinned, replace(AXES, turned_hand=True))
    held.rollout(START, state, np.zeros((1, 1, 7)))
    assert pinned.asked[1][0][5] == pytest.approx(state[5] - AXES.yaw_rad)


@pytest.mark.parametrize("index", [0, 1, 3, 4])
def test_a_range_that_is_not_round_is_refused(additive, action_range, index):
    low = list(action_range().low)
    low[index] *= 0.5
    with pytest.raises(ConfigError, match="one range in"):
        TurnedModel(additive(action=action_range(low=tuple(low))), AXES)


def test_a_proposal_is_turned_back(state):
    rng = np.random.default_rng(1)
    mean, candidates = rng.normal(size=(2, 7)) * 0.03, rng.normal(size=(3, 2, 7)) * 0.03
    std = np.tile([0.02, 0.02, 0.01, 0.1, 0.1, 0.2, 0.3], (2, 1))
    inner = Guess(Proposed(AXES.actions_to_model(candidates), AXES.actions_to_model(mean), std))
    found = TurnedProposal(inner, AXES, True).propose(START, START, state)
    np.testing.assert_allclose(found.candidates, candidates, atol=1e-12)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(found.std, std, atol=1e-12)  # alike in x and y: round
    np.testing.assert_allclose(inner.state, AXES.state_to_model(state))


def test_the_spread_of_a_proposal_is_that_of_the_turned_gaussian(state):
    std = np.tile([0.04, 0.01, 0.02, 0.0, 0.0, 0.1, 0.3], (1, 1))
    found = TurnedProposal(Guess(Proposed(std=std)), AXES, True).propose(START, START, state).std
    draws = np.random.default_rng(2).normal(size=(200_000, 7)) * std
    np.testing.assert_allclose(found[0, :3], AXES.actions_to_base(draws)[:, :3].std(axis=0), rtol=0.01)
    np.testing.assert_array_equal(found[0, 6], 0.3)


def test_an_empty_proposal_stays_empty_and_is_reset(state):
    inner = Guess(Proposed())
    wrapped = TurnedProposal(inner, AXES, False)
    found = wrapped.propose(START, START, state)
    assert found.candidates is None and found.mean is None and found.std is None
    assert isinstance(wrapped, Remembers)
    wrapped.reset()
    assert inner.forgotten


def test_nothing_is_wrapped_where_nothing_is_turned(model):
    guess = Guess(Proposed())
    for axes in (None, Axes()):
        assert turned(model, guess, axes) == (model, guess)
    wrapped, start = turned(model, None, AXES)
    assert isinstance(wrapped, TurnedModel) and start is None


def test_a_calibrated_planner_moves_the_right_way_within_its_limits(model, state):
    """The goal lies 5 cm ahead along the base frame's x axis, which the turned model sees along its own axes."""
    limits = Limits(speed_m_s=0.1, step_m=0.04)
    config = PlannerConfig(samples=256, iterations=8, horizon=1)
    goal = AXES.actions_to_model([0.05, 0, 0, 0, 0, 0, 0])[None].astype(np.float32)

    def first_step(planned_with):
        planner = Planner(planned_with, limits, config)
        planner.set_goals(goal[None])
        return planner.plan(START, state, 0.0).actions[0, :2]

    astray, straight = first_step(model), first_step(TurnedModel(model, AXES))
    assert abs(np.degrees(np.arctan2(astray[1], astray[0])) + 40.0) < 10.0
    assert abs(np.degrees(np.arctan2(straight[1], straight[0]))) < 10.0
    assert np.linalg.norm(straight) <= 0.04 + 1e-9
