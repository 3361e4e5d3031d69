"""Braking is exact at uneven ticks, and a glide ends at its goal without overshoot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller.interpolate import MAX_TICK_S, MIN_TICK_S, Glide, braking_reach, fastest, wanted_velocity
from wm_controller.spatial import ZERO, Vec, add, length, minus

ticks = st.floats(MIN_TICK_S, MAX_TICK_S)
usual_ticks = st.floats(0.005, 0.040)


def anywhere(_: Vec) -> bool:
    return True


@given(st.floats(1e-6, 1.0), st.floats(0.05, 4.0), ticks)
def test_fastest_is_the_inverse_of_braking_reach(distance: float, accel: float, dt_s: float) -> None:
    assert braking_reach(fastest(distance, accel, dt_s), accel, dt_s) == pytest.approx(distance, rel=1e-9)


def test_limits_of_zero() -> None:
    assert fastest(0.1, 0.0, 0.02) == 0.0
    assert fastest(0.0, 1.0, 0.02) == 0.0
    assert braking_reach(0.0, 0.0, 0.02) == 0.0
    assert wanted_velocity((0.1, 0.0, 0.0), ZERO, 1.0, 0.0, 1.0, 0.02) == ZERO
    assert wanted_velocity((0.1, 0.0, 0.0), ZERO, 1.0, 1.0, 0.0, 0.02) == ZERO


@given(st.floats(0.01, 0.25), st.floats(0.1, 2.0), st.lists(ticks, min_size=2, max_size=40))
def test_braking_ends_where_it_was_said_to(pace: float, accel: float, durations: list[float]) -> None:
    """Whatever the later ticks are, full braking never goes past the reach told at the first."""
    glide = Glide(1.0, accel)
    glide.velocity, glide._last_dt_s = (pace, 0.0, 0.0), durations[0]
    travelled = pace * durations[0]
    for dt_s in durations[1:]:
        travelled += glide.advance(ZERO, dt_s, lambda _: False)[0]
    assert travelled <= braking_reach(pace, accel, durations[0]) + 1e-12


def travel(goal: Vec, period_s: float, dts: np.ndarray, speed: float = 0.1, accel: float = 0.5) -> np.ndarray:
    """Positions (n, 3) of a glide from rest at the origin."""
    glide, place, now, path = Glide(speed, accel), ZERO, 0.0, [ZERO]
    for dt_s in dts:
        want = wanted_velocity(minus(goal, place), ZERO, period_s - now, speed, accel, dt_s)
        place = add(place, glide.advance(want, dt_s, anywhere))
        now += dt_s
        path.append(place)
    return np.array(path)


@given(
    st.tuples(*[st.floats(-0.1, 0.1)] * 3),
    st.sampled_from([0.1, 0.25, 1.0]),
    st.lists(usual_ticks, min_size=3, max_size=5),
)
def test_a_glide_arrives_and_does_not_overshoot(goal: Vec, period_s: float, pattern: list[float]) -> None:
    dts = np.resize(np.array(pattern), int(5.0 / np.mean(pattern)) + 3)
    along = travel(goal, period_s, dts) @ np.array(goal) / max(length(goal), 1e-12)
    assert along[-1] == pytest.approx(length(goal), abs=1e-6)
    assert np.all(np.diff(along) >= -1e-12), "it never goes back, so it never went too far"


def test_an_easy_step_takes_its_time() -> None:
    """2 cm in 1 s: half-way after half of the time, there at most a braking time late."""
    along = travel((0.02, 0.0, 0.0), 1.0, np.full(60, 0.02))[:, 0]
    assert along[25] == pytest.approx(0.010, abs=0.001)
    assert along[50] > 0.019
    assert along[-1] == pytest.approx(0.02, abs=1e-6)


def test_what_goes_on_in_the_same_direction_is_not_braked_away() -> None:
    goal, onward = (0.001, 0.0, 0.0), (0.05, 0.0, 0.0)
    assert wanted_velocity(goal, ZERO, 0.02, 0.1, 0.5, 0.02)[0] < 0.03
    assert wanted_velocity(goal, onward, 0.02, 0.1, 0.5, 0.02)[0] == pytest.approx(0.05)
    assert wanted_velocity(goal, (-0.05, 0.0, 0.0), 0.02, 0.1, 0.5, 0.02)[0] < 0.03
