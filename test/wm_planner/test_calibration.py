"""The fit finds the turn it was given, and refuses what does not tell it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_planner.calibration import CalibrationConfig, CalibrationError, Move, RandomMoves, calibrate, fit_turn, infer

LIMITS = Limits(speed_m_s=0.25, accel_m_s2=2.0, step_m=0.05)


def rotated(points, angle):
    return points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def apart(a, b):
    return abs(np.angle(np.exp(1j * (a - b))))


@given(st.floats(-np.pi, np.pi), st.floats(0.2, 3.0), st.floats(-0.02, 0.02), st.integers(0, 1000))
def test_a_turn_a_scale_and_a_constant_are_found(yaw, scale, constant, seed):
    moves = np.random.default_rng(seed).normal(size=(40, 2)) * 0.03
    fit = fit_turn(moves, scale * rotated(moves, -yaw) + constant)
    assert apart(fit.yaw_rad, yaw) < 1e-9
    assert fit.scale == pytest.approx(scale)
    assert fit.residual < 1e-9 and fit.error_rad < 1e-9 and 1.0 <= fit.condition < 2.0 and fit.moves == 40


def test_the_standard_error_is_honest():
    rng = np.random.default_rng(0)
    off, said = [], []
    for _ in range(400):
        moves = rng.normal(size=(60, 2)) * 0.03
        fit = fit_turn(moves, 1.4 * rotated(moves, -0.5) + rng.normal(size=(60, 2)) * 0.01)
        off.append(fit.yaw_rad - 0.5)
        said.append(fit.error_rad)
    assert np.mean(said) == pytest.approx(np.std(off), rel=0.15)
    assert abs(np.mean(off)) < 3 * np.std(off) / np.sqrt(400)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a, b: (a[:5], b[:5]), "too few"),
        (lambda a, b: (a * [1, 0.2], b * [1, 0.2]), "do not span"),
        (lambda a, b: (a * 0.0, b), "do not span"),
        (lambda a, b: (a * 1e-3, b), "do not span"),
        (lambda a, b: (a, b * [1, -1]), "mirrored"),
        (lambda a, b: (a, b + np.random.default_rng(1).normal(size=b.shape) * 0.05), "unexplained"),
        (lambda a, b: (a[:14], b[:14] + np.random.default_rng(1).normal(size=(14, 2)) * 0.015), "uncertain"),
        (lambda a, b: (a, np.full_like(b, np.nan)), "finite"),
        (lambda a, b: (a, b[:-1]), "two lists"),
    ],
)
def test_what_does_not_tell_is_refused(change, why):
    moves = np.random.default_rng(0).normal(size=(40, 2)) * 0.03
    with pytest.raises(CalibrationError, match=why):
        fit_turn(*change(moves, rotated(moves, -0.3)))


def test_a_model_that_sees_nothing_is_refused():
    moves = np.random.default_rng(0).normal(size=(40, 2)) * 0.03
    with pytest.raises(CalibrationError):
        fit_turn(moves, np.zeros_like(moves))


@pytest.fixture
def moves(additive, state):
    """What a camera turned by 35 degrees shows to a model whose latent is a sum of actions in its own axes."""
    axes, rng, out = Axes(np.radians(35.0)), np.random.default_rng(3), []
    for _ in range(20):
        action = np.append(rng.uniform(-0.03, 0.03, 3), np.zeros(4))
        latent = rng.normal(size=(1, 7)).astype(np.float32)
        seen = latent + axes.actions_to_model(action).astype(np.float32)
        out.append(Move(latent, state, seen, state + action))
    return out


@pytest.fixture
def model(additive):
    return additive()


def test_the_action_between_two_frames_is_found_to_a_tenth_of_a_millimetre(model, moves):
    for move in moves[:5]:
        np.testing.assert_allclose(infer(model, move), (move.next_latent - move.latent)[0, :2], atol=1e-4)


def test_the_axes_of_a_model_are_found(model, moves):
    found, fit = calibrate(model, moves, Axes(centre_m=(0.4, 0.1)))
    assert np.degrees(found.yaw_rad) == pytest.approx(35.0, abs=0.2)
    assert found.centre_m == (0.4, 0.1)
    assert fit.moves == 20 and fit.scale == pytest.approx(1.0, abs=0.01)


def test_no_moves_and_no_numbers_are_refused(model, moves, additive):
    with pytest.raises(CalibrationError, match="too few"):
        calibrate(model, [])

    class Broken(type(model)):
        def energy(self, latents, goal):
            return np.full(latents.shape[:2], np.nan)

    with pytest.raises(CalibrationError, match="nothing finite"):
        calibrate(Broken(), moves)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.floats(0.25, 0.70), st.floats(-0.35, 0.35), st.floats(0.02, 0.6)),
    st.floats(0.01, 0.25),
)
def test_moves_stay_in_the_box_near_the_start_never_below_it_and_short(seed, start, speed):
    limits, config = Limits(speed_m_s=speed), CalibrationConfig(seed=seed)
    draw = RandomMoves(config, limits, 0.25, start)
    here, low = np.array(start), np.maximum(start, limits.box_min_m)
    for _ in range(40):
        plan = draw.next(here)
        assert plan.shape == (2, 7) and not plan[1].any() and not plan[0, 3:].any()
        assert np.linalg.norm(plan[0, :3]) <= min(0.05, speed * 0.25) + 1e-9
        here = here + plan[0, :3]
        assert np.all(here >= np.array(limits.box_min_m) - 1e-9) and np.all(here <= np.array(limits.box_max_m) + 1e-9)
        assert here[2] >= low[2] - 1e-9 and here[2] <= start[2] + config.rise_m + 1e-9
        assert np.all(np.abs(here[:2] - start[:2]) <= config.reach_m + 1e-9)


def test_an_arm_that_was_pushed_out_comes_back():
    config = CalibrationConfig()
    draw = RandomMoves(config, LIMITS, 0.25, [0.47, 0.0, 0.15])
    here = np.array([0.30, 0.25, 0.10])
    for _ in range(20):
        here = here + draw.next(here)[0, :3]
    assert np.all(np.abs(here[:2] - [0.47, 0.0]) <= config.reach_m + 1e-9) and here[2] >= 0.15 - 1e-9


def test_where_a_move_led_and_where_it_cannot_have():
    draw, here = RandomMoves(CalibrationConfig(), LIMITS, 0.25, [0.47, 0.0, 0.15]), np.array([0.47, 0.0, 0.15])
    assert draw.led_to(here)
    way = draw.next(here)[0, :3]
    along, across = way / np.linalg.norm(way), np.array([-way[1], way[0], 0.0]) / np.linalg.norm(way[:2])
    for share in (0.0, 0.5, 1.0):
        assert draw.led_to(here + share * way)
        assert draw.led_to(here + share * way + 0.04 * across) and not draw.led_to(here + share * way + 0.05 * across)
    assert not draw.led_to(here + way + 0.05 * along) and not draw.led_to(here - 0.05 * along)


def test_a_generator_that_is_given_goes_on():
    rng, starts = np.random.default_rng(0), ([0.47, 0.0, 0.15], [0.4, 0.1, 0.2])
    first, second = (RandomMoves(CalibrationConfig(), LIMITS, 0.25, at, rng).next(at) for at in starts)
    alone = [RandomMoves(CalibrationConfig(), LIMITS, 0.25, at).next(at) for at in starts]
    assert np.array_equal(first, alone[0]) and not np.array_equal(second, alone[1])


def test_moves_span_the_plane():
    draw, here, steps = RandomMoves(CalibrationConfig(), LIMITS, 0.25, [0.47, 0.0, 0.15]), np.array([0.47, 0, 0.15]), []
    for _ in range(160):
        steps.append(draw.next(here)[0, :3])
        here = here + steps[-1]
    assert fit_turn(np.array(steps)[:, :2], np.array(steps)[:, :2]).condition < 1.3


@pytest.mark.parametrize(
    ("limits", "start"),
    [(LIMITS, (0.1, 0.0, 0.15)), (LIMITS, (0.47, 0.0, 0.9)), (Limits(speed_m_s=0.0), (0.47, 0, 0.2))],
)
def test_no_room_is_refused(limits, start):
    with pytest.raises(CalibrationError, match="no room"):
        RandomMoves(CalibrationConfig(), limits, 0.25, start)


@pytest.mark.parametrize(
    "values",
    [
        {"moves": 5},
        {"least_moves": 2},
        {"shortest_m": 0.0},
        {"shortest_m": 0.05},
        {"reach_m": 0.05},
        {"rise_m": -0.1},
        {"most_condition": 0.5},
        {"most_residual": 0.0},
        {"most_error_rad": float("nan")},
    ],
)
def test_nonsense_is_refused(values):
    with pytest.raises(ConfigError, match="calibration"):
        CalibrationConfig(**values)
