"""Braking is exact, a glide ends at its goal without overshoot, and a stream keeps its bounds at any times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller.interpolate import STEP_S, WINDOW_S, Glide, Stream, braking_reach, fastest, wanted_velocity
from wm_controller.spatial import ZERO, Vec, length, minus

ticks = st.floats(0.001, 0.060)
usual_ticks = st.floats(0.005, 0.040)


def anywhere(_: Vec) -> bool:
    return True


@given(st.floats(1e-6, 1.0), st.floats(0.05, 4.0))
def test_fastest_is_the_inverse_of_braking_reach(distance: float, accel: float) -> None:
    assert braking_reach(fastest(distance, accel), accel) == pytest.approx(distance, rel=1e-9)


def test_limits_of_zero() -> None:
    assert fastest(0.1, 0.0) == 0.0
    assert fastest(0.0, 1.0) == 0.0
    assert braking_reach(0.0, 0.0) == 0.0
    assert wanted_velocity((0.1, 0.0, 0.0), ZERO, 1.0, 0.0, 1.0) == ZERO
    assert wanted_velocity((0.1, 0.0, 0.0), ZERO, 1.0, 1.0, 0.0) == ZERO
    assert Stream(1.0, 1.0, 0.0).glide.accel == 0.0


@given(st.floats(0.01, 0.25), st.floats(0.1, 2.0))
def test_braking_ends_where_it_was_said_to(pace: float, accel: float) -> None:
    glide = Glide(1.0, accel)
    glide.velocity = (pace, 0.0, 0.0)
    travelled = pace * STEP_S
    while glide.velocity != ZERO:
        travelled += glide.advance(ZERO, lambda _: False)[0] * STEP_S
    assert travelled <= braking_reach(pace, accel) + 1e-12


def travel(goal: Vec, period_s: float, dts: np.ndarray, speed: float = 0.1, accel: float = 0.5) -> np.ndarray:
    """Positions (n, 3) of a stream from rest at the origin."""
    stream, place, now, path = Stream(speed, accel, 40.0), np.zeros(3), 0.0, [np.zeros(3)]
    for dt_s in dts:
        start = place

        def choose(ahead: Vec, start: np.ndarray = start, left_s: float = period_s - now) -> Vec:
            to_goal = minus(goal, tuple(start + ahead))
            return stream.glide.advance(wanted_velocity(to_goal, ZERO, left_s, speed, accel), anywhere)

        place = place + stream.advance(float(dt_s), choose)
        now += dt_s
        path.append(place)
    return np.array(path)


@given(
    st.tuples(*[st.floats(-0.1, 0.1)] * 3),
    st.sampled_from([0.1, 0.25, 1.0]),
    st.lists(usual_ticks, min_size=3, max_size=5),
)
def test_a_stream_arrives_and_does_not_overshoot(goal: Vec, period_s: float, pattern: list[float]) -> None:
    dts = np.resize(np.array(pattern), int(5.0 / np.mean(pattern)) + 3)
    along = travel(goal, period_s, dts) @ np.array(goal) / max(length(goal), 1e-12)
    assert along[-1] == pytest.approx(length(goal), abs=1e-6)
    assert np.all(np.diff(along) >= -1e-12), "it never goes back, so it never went too far"


def test_an_easy_step_takes_its_time() -> None:
    """2 cm in 1 s: half-way after half of the time, there at most half a window and a braking time late."""
    along = travel((0.02, 0.0, 0.0), 1.0, np.full(70, 0.02))[:, 0]
    assert along[25] == pytest.approx(0.010, abs=0.0015)
    assert along[50] > 0.018
    assert along[-1] == pytest.approx(0.02, abs=1e-6)


def test_what_goes_on_in_the_same_direction_is_not_braked_away() -> None:
    goal, onward = (0.0004, 0.0, 0.0), (0.05, 0.0, 0.0)
    assert wanted_velocity(goal, ZERO, 0.008, 0.1, 0.5)[0] < 0.03
    assert wanted_velocity(goal, onward, 0.008, 0.1, 0.5)[0] == pytest.approx(0.04)
    assert wanted_velocity(goal, (-0.05, 0.0, 0.0), 0.008, 0.1, 0.5)[0] < 0.03


def wander(jerk: float, dts: list[float], wants: list[Vec]) -> tuple[np.ndarray, np.ndarray, Stream, list[np.ndarray]]:
    """Times, places, the stream, and the places of the glide ahead of it."""
    stream, place, times, path, glides = Stream(0.25, 2.0, jerk), np.zeros(3), [0.0], [np.zeros(3)], [np.zeros(3)]
    wanted = iter(wants * 1000)
    for dt_s in dts:
        start = place

        def choose(ahead: Vec, start: np.ndarray = start) -> Vec:
            velocity = stream.glide.advance(next(wanted), anywhere)
            glides.append(start + ahead + np.array(velocity) * STEP_S)
            return velocity

        place = place + stream.advance(dt_s, choose)
        times.append(times[-1] + dt_s)
        path.append(place)
    return np.array(times), np.array(path), stream, glides


wants = st.lists(st.tuples(*[st.floats(-0.3, 0.3)] * 3), min_size=1, max_size=30)


@given(st.lists(ticks, min_size=4, max_size=80), wants, st.sampled_from([40.0, 10.0, 100.0]))
def test_speed_acceleration_and_jerk_are_bounded_at_any_times(dts: list[float], wants: list[Vec], jerk: float) -> None:
    times, path, _, _ = wander(jerk, dts, wants)
    gaps = np.diff(times)[:, None]
    velocity = np.diff(path, axis=0) / gaps
    accel = np.diff(velocity, axis=0) / ((gaps[1:] + gaps[:-1]) / 2)
    jolt = np.diff(accel, axis=0) / ((gaps[2:] + gaps[1:-1] + gaps[:-2]) / 3)
    for values, limit in ((velocity, 0.25), (accel, 2.0), (jolt, min(jerk, 40.0))):
        assert np.linalg.norm(values, axis=1).max() <= limit * (1 + 1e-4) + 1e-6


@given(st.lists(usual_ticks, min_size=4, max_size=60), wants)
def test_the_stream_stays_among_the_places_of_the_glide_and_ends_at_its_end(dts: list[float], wants: list[Vec]) -> None:
    _, path, stream, glides = wander(40.0, dts, wants)
    box = np.array(glides)
    assert np.all(path >= box.min(axis=0) - 1e-12) and np.all(path <= box.max(axis=0) + 1e-12)
    np.testing.assert_allclose(path[-1] + np.array(stream.ahead), glides[-1], atol=1e-12)


def test_the_motion_does_not_depend_on_the_ticks() -> None:
    rng, wants = np.random.default_rng(0), [(0.1, 0.05, -0.1), (0.0, -0.2, 0.1), (0.2, 0.0, 0.0)]
    uneven = rng.uniform(0.001, 0.06, 40).tolist()
    even = [sum(uneven) / 25] * 25
    ends = [wander(40.0, dts, [want for want in wants for _ in range(20)])[1][-1] for dts in (uneven, even)]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)


def test_rest_is_rest() -> None:
    stream = Stream(0.25, 2.0, 40.0)
    for _ in range(5):
        stream.advance(0.02, lambda _: stream.glide.advance((0.2, 0.0, 0.0), anywhere))
    assert stream.ahead != ZERO
    stream.rest()
    assert stream.ahead == ZERO
    assert stream.advance(WINDOW_S, lambda _: stream.glide.advance(ZERO, anywhere)) == ZERO
