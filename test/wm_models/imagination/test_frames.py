"""The planner stays in the base frame, and the model gets what it would have had in training."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.path import flange_actions, flange_state, integrate_path
from wm_models.bundle import ActionSpec
from wm_models.imagination.frames import ModelFrame

AXES = Axes(np.radians(40.0), (0.45, 0.1))
STATE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
ACTIONS = np.random.default_rng(0).normal(size=(5, 2, 7)) * [0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 0.3]
FREE = ActionSpec((-0.05,) * 7, (0.05,) * 7)
PINNED = ActionSpec((-0.05,) * 3 + (0.0,) * 3 + (-1.0,), (0.05,) * 3 + (0.0,) * 3 + (1.0,))


@dataclass
class Spec:
    action: ActionSpec = FREE
    pose_frame: str = "tcp"
    step_period_s: float = 0.5


def test_where_nothing_is_turned_nothing_changes():
    for axes in (None, Axes()):
        frame = ModelFrame.of(Spec(), axes)
        np.testing.assert_array_equal(frame.state(STATE), STATE)
        np.testing.assert_array_equal(frame.actions(STATE, ACTIONS), ACTIONS)
        np.testing.assert_array_equal(frame.spread_to_base(ACTIONS[0]), ACTIONS[0])


def test_what_a_model_gets_is_its_own():
    frame = ModelFrame.of(Spec())
    frame.state(STATE)[:] = np.nan
    frame.actions(STATE, ACTIONS)[:] = np.nan
    assert np.isfinite(STATE).all() and np.isfinite(ACTIONS).all()


def test_states_and_actions_are_turned_and_come_back():
    frame = ModelFrame.of(Spec(), AXES)
    np.testing.assert_allclose(frame.state(STATE), AXES.state_to_model(STATE))
    np.testing.assert_allclose(frame.actions(STATE, ACTIONS), AXES.actions_to_model(ACTIONS))
    np.testing.assert_allclose(frame.actions_to_base(frame.actions(STATE, ACTIONS)), ACTIONS, atol=1e-12)


def test_a_flange_model_is_asked_about_the_flange_then_turned():
    frame = ModelFrame.of(Spec(pose_frame="flange"), AXES)
    np.testing.assert_allclose(frame.state(STATE), AXES.state_to_model(flange_state(STATE)))
    moves = flange_actions(integrate_path(STATE, ACTIONS), ACTIONS)
    np.testing.assert_allclose(frame.actions(STATE, ACTIONS), AXES.actions_to_model(moves))


def test_a_model_that_saw_one_yaw_gets_the_measured_one():
    frame = ModelFrame.of(Spec(PINNED), AXES)
    assert frame.state(STATE)[5] == STATE[5] and not np.allclose(frame.state(STATE)[:2], STATE[:2])
    held = ModelFrame.of(Spec(PINNED), replace(AXES, turned_hand=True))
    assert held.state(STATE)[5] == pytest.approx(STATE[5] - AXES.yaw_rad)


@pytest.mark.parametrize("index", [0, 1, 3, 4])
def test_a_range_that_is_not_round_is_refused_where_it_is_turned(index):
    low = list(FREE.low)
    low[index] *= 0.5
    spec = Spec(ActionSpec(tuple(low), FREE.high))
    ModelFrame.of(spec)
    with pytest.raises(ConfigError, match="one range in"):
        ModelFrame.of(spec, AXES)


def test_the_spread_of_a_proposal_is_that_of_the_turned_gaussian():
    std = np.array([[0.04, 0.01, 0.02, 0.0, 0.0, 0.1, 0.3]])
    found = ModelFrame.of(Spec(), AXES).spread_to_base(std)
    draws = np.random.default_rng(2).normal(size=(200_000, 7)) * std
    np.testing.assert_allclose(found[0, :3], AXES.actions_to_base(draws)[:, :3].std(axis=0), rtol=0.01)
    np.testing.assert_array_equal(found[0, 6], 0.3)
