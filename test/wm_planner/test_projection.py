from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.limits import CEILING, Limits
from wm_core.path import integrate_path
from wm_planner import guardrails
from wm_planner.guardrails.projection import make_feasible


@st.composite
def some_limits(draw):
    def upto(name):
        return draw(st.one_of(st.just(0.0), st.floats(0.0, CEILING[name])))

    low = [draw(st.floats(a, b)) for a, b in ((0.2, 0.5), (-0.45, 0.0), (0.0, 0.3))]
    high = [max(a, draw(st.floats(a, b))) for a, b in zip(low, (0.75, 0.45, 0.7), strict=True)]
    names = ("step_m", "step_rad", "speed_m_s", "rot_speed_rad_s", "tilt_rad")
    return Limits(box_min_m=tuple(low), box_max_m=tuple(high), **{name: upto(name) for name in names})


@settings(max_examples=200, deadline=None)
@given(limits=some_limits(), seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.01, 0.1, 1.0, 3.0]))
def test_whatever_goes_in_comes_out_feasible_and_smaller(limits, seed, size):
    rng = np.random.default_rng(seed)
    state = rng.uniform([0.1, -0.6, -0.1, 2.0, -1.2, -3.1, 0.0], [0.9, 0.6, 0.8, 4.2, 1.2, 3.1, 1.0])
    actions = rng.normal(size=(16, 3, 7)) * size
    actions[..., 6] = np.clip(actions[..., 6], -1, 1)
    out = make_feasible(state, actions, limits, 0.5)
    assert not guardrails.violations(integrate_path(state, out), out, limits, 0.5).any()
    assert np.all(np.abs(out) <= np.abs(actions) + 1e-12) and np.all(out * actions >= -1e-12)


def test_what_is_feasible_is_left_alone(state):
    actions = np.random.default_rng(0).uniform(-0.02, 0.02, (50, 3, 7))
    np.testing.assert_allclose(make_feasible(state, actions, Limits(), 0.5), actions, atol=1e-15)


def test_only_the_yaw_of_a_turn_that_tilts_too_far_is_left(state):
    state[3] = np.pi - 0.49
    out = make_feasible(state, np.array([[[0, 0, 0, -0.1, 0.0, 0.05, 0]]], dtype=float), Limits(), 0.5)
    np.testing.assert_allclose(out[0, 0], [0, 0, 0, 0, 0, 0.05, 0])


def test_a_step_through_the_floor_ends_on_it(state):
    state[2] = 0.03
    out = make_feasible(state, np.array([[[0.01, 0, -0.04, 0, 0, 0, 0]]]), Limits(), 0.5)
    np.testing.assert_allclose(out[0, 0, :3], [0.01, 0, -0.01], atol=1e-15)
