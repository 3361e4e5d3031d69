"""Whatever the model, the state and the limits: no plan breaks a limit. Checked with nothing of wm_planner's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core import pose
from wm_core.limits import CEILING, Limits
from wm_planner import problem
from wm_planner.costs.goal import Goal
from wm_planner.optimisers.cem import CemConfig
from wm_planner.planner import Planner, PlannerConfig

HAIR = 1e-8


@st.composite
def some_limits(draw):
    def upto(name):
        return draw(st.one_of(st.just(0.0), st.just(CEILING[name]), st.floats(0.0, CEILING[name])))

    low = [draw(st.floats(a, b)) for a, b in ((0.2, 0.5), (-0.45, 0.0), (0.0, 0.3))]
    high = [max(a, draw(st.floats(a, b))) for a, b in zip(low, (0.75, 0.45, 0.7), strict=True)]
    names = ("step_m", "step_rad", "speed_m_s", "rot_speed_rad_s", "tilt_rad")
    return Limits(box_min_m=tuple(low), box_max_m=tuple(high), **{name: upto(name) for name in names})


def assert_within_limits(state, actions, limits, period_s, low, high, levels):
    assert np.all(np.isfinite(actions))
    here = state
    for action in actions:
        there = pose.integrate(here, action)
        below, above = np.array(limits.box_min_m), np.array(limits.box_max_m)
        assert np.all(there[:3] >= np.minimum(below, here[:3]) - HAIR)
        assert np.all(there[:3] <= np.maximum(above, here[:3]) + HAIR)
        length_m, angle_rad = np.linalg.norm(action[:3]), pose.rotation_angle(pose.euler_to_matrix(action[3:6]))
        assert length_m <= limits.step_m + HAIR and length_m / period_s <= limits.speed_m_s + HAIR / period_s
        assert angle_rad <= limits.step_rad + HAIR and angle_rad / period_s <= limits.rot_speed_rad_s + HAIR / period_s
        assert pose.tilt(there[3:6]) <= max(limits.tilt_rad, pose.tilt(here[3:6])) + 1e-7
        assert np.all(action >= low - HAIR) and np.all(action <= high + HAIR)
        assert levels is None or action[6] in levels
        here = there


def plan_once(model, limits, state, mode, horizon):
    optimiser = CemConfig(samples=24, iterations=2, elites=6)
    config = PlannerConfig(horizon=horizon, optimiser=optimiser, costs={"goal": Goal(mode=mode)})
    planner = Planner(model, limits, config)
    planner.set_goals(np.ones((2, 1, 7)))
    with np.errstate(all="ignore"):
        return [planner.plan(np.zeros((1, 7)), state, 0.1 * k) for k in range(2)]


def random_case(seed):
    """A measured state in or out of the box, and the range of a model's actions with some dimensions pinned."""
    rng = np.random.default_rng(seed)
    state = rng.uniform([0.1, -0.6, -0.1, 2.0, -1.2, -3.1, 0.0], [0.9, 0.6, 0.8, 4.2, 1.2, 3.1, 1.0])
    high = rng.uniform(0.01, 2.0, 7) * (rng.random(7) < 0.7)
    levels = (-0.75, 0.0, 0.75) if rng.random() < 0.5 else None
    high[6] = 0.75 * (rng.random() < 0.8)
    return state, high, levels, float(rng.choice([0.05, 0.25, 1.0]))


@settings(max_examples=150, deadline=None)
@given(limits=some_limits(), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_no_model_can_make_the_planner_break_a_limit(hostile, action_range, limits, seed, data):
    mood = data.draw(st.sampled_from(hostile.MOODS))
    frame, mode = data.draw(st.sampled_from(["tcp", "flange"])), data.draw(st.sampled_from(["final", "cumulative"]))
    state, high, levels, period_s = random_case(seed)
    spec = action_range(tuple(-high), tuple(high), levels)
    model = hostile(mood, step_period_s=period_s, pose_frame=frame, action=spec)
    for result in plan_once(model, limits, state, mode, data.draw(st.integers(1, 3))):
        if mood in ("nan", "-inf", "+inf", "raise", "shape", "count"):
            assert result.hold and result.reason
        if result.hold:
            assert np.all(result.actions == 0.0)
        else:
            allowed = (0.0,) if high[6] == 0.0 else levels
            assert_within_limits(state, result.actions, limits, period_s, -high, high, allowed)


@settings(max_examples=60, deadline=None)
@given(limits=some_limits(), seed=st.integers(0, 2**32 - 1), mood=st.sampled_from(["random", "huge steps", "scribble"]))
def test_the_guardrails_need_no_projection(hostile, action_range, limits, seed, mood):
    state, high, levels, period_s = random_case(seed)
    model = hostile(mood, step_period_s=period_s, action=action_range(tuple(-high), tuple(high), levels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem, "make_feasible", lambda state, actions, limits, step_period_s: actions)
        for result in plan_once(model, limits, state, "final", 2):
            assert not result.hold, "standing still is feasible, and a candidate"
            assert_within_limits(state, result.actions, limits, period_s, -high, high, None)
