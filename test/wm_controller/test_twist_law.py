"""The law of the twist stream, on an ideal velocity-controlled arm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_controller.spatial import euler, length, quaternion, turn_between, turned
from wm_controller.twist_law import TwistConfig, TwistLaw
from wm_core.errors import ConfigError
from wm_core.limits import Limits

TICK_S = 0.02
LIMITS = Limits()
DOWN = (math.pi, 0.0, 0.0)


class IdealArm:
    """Moves as it is told, and reports where it is."""

    def __init__(self, law: TwistLaw, xyz=(0.45, 0.0, 0.3), turn=DOWN, lag_s: float = 0.0) -> None:
        self.law, self.now_s = law, 100.0
        self.xyz, self.rotation = np.array(xyz, dtype=float), quaternion(*turn)
        self.velocity, self.share = np.zeros(3), 1.0 if lag_s == 0.0 else TICK_S / lag_s
        self.twists: list[tuple] = []

    def measure(self) -> None:
        self.law.take_state([*self.xyz, *euler(self.rotation)], self.now_s)

    def tick(self, target, holding: bool = False, measured: bool = True) -> None:
        self.now_s += TICK_S
        if measured:
            self.measure()
        linear, angular = self.law.twist(target, self.now_s, holding)
        self.twists.append((linear, angular))
        self.velocity += self.share * (np.array(linear) - self.velocity)
        self.xyz += TICK_S * self.velocity
        self.rotation = turned(self.rotation, tuple(TICK_S * v for v in angular))


def test_it_follows_a_moving_target_without_lag_and_rests_at_its_end() -> None:
    arm = IdealArm(TwistLaw(TwistConfig(), LIMITS), lag_s=0.1)
    for k in range(400):
        x = 0.45 + min(0.08 * k * TICK_S, 0.16)
        arm.tick([x, 0.0, 0.3, *DOWN])
        if k == 90:
            assert abs(arm.xyz[0] - x) < 0.012, "feed-forward: no more than what the arm's own lag costs"
    np.testing.assert_allclose(arm.xyz, [0.61, 0.0, 0.3], atol=1e-3)
    assert length(arm.twists[-1][0]) < 2e-3


def test_it_turns_the_short_way_to_the_target() -> None:
    arm = IdealArm(TwistLaw(TwistConfig(), LIMITS), turn=(math.pi, 0.0, 0.2))
    for _ in range(300):
        arm.tick([0.45, 0.0, 0.3, -math.pi + 0.1, 0.0, 0.0])
    assert length(turn_between(arm.rotation, quaternion(-math.pi + 0.1, 0.0, 0.0))) < 1e-3


targets = st.tuples(
    st.floats(0.2, 0.75), st.floats(-0.4, 0.4), st.floats(0.0, 0.7), st.floats(2.6, 3.6), *[st.floats(-0.4, 0.4)] * 2
)
ticks = st.tuples(targets, st.booleans(), st.booleans(), st.floats(0.002, 0.09))


@given(steps=st.lists(ticks, min_size=1, max_size=30))
def test_whatever_comes_the_twist_stays_within_the_limits(steps: list) -> None:
    law, now_s, last, since_s = TwistLaw(TwistConfig(gain_per_s=5.0), LIMITS), 50.0, ((0.0,) * 3, (0.0,) * 3), 0.0
    for target, holding, fresh, gap_s in steps:
        now_s, since_s = now_s + gap_s, gap_s
        if fresh:
            law.take_state([0.45, 0.0, 0.3, *DOWN], now_s)
        twist = law.twist(target, now_s, holding)
        for v, before, most, change in zip(
            twist,
            last,
            (LIMITS.speed_m_s, LIMITS.rot_speed_rad_s),
            (LIMITS.accel_m_s2, LIMITS.rot_accel_rad_s2),
            strict=True,
        ):
            assert length(v) <= most + 1e-9
            assert math.dist(v, before) <= change * since_s + 1e-9
        last = twist


def moving() -> IdealArm:
    arm = IdealArm(TwistLaw(TwistConfig(), LIMITS))
    for k in range(40):
        arm.tick([0.45 + 0.08 * k * TICK_S, 0.0, 0.3, *DOWN])
    assert length(arm.twists[-1][0]) > 0.05
    return arm


def test_a_stop_is_zero_at_once_and_stays_so() -> None:
    arm = moving()
    assert arm.law.stop() == ((0.0,) * 3, (0.0,) * 3)
    arm.tick([0.6, 0.0, 0.3, *DOWN], holding=True)
    assert arm.twists[-1] == ((0.0,) * 3, (0.0,) * 3)


def test_where_the_targets_end_it_brakes_within_the_limit_and_a_stop_still_is_zero_at_once() -> None:
    for stops in (False, True):
        arm = moving()
        last = arm.twists[-1][0]
        while arm.law.moving:
            arm.now_s += TICK_S
            linear, _ = arm.law.rest(arm.now_s)
            assert math.dist(linear, last) <= LIMITS.accel_m_s2 * TICK_S + 1e-9 and length(linear) < length(last)
            last = linear
            if stops:
                assert arm.law.stop() == ((0.0,) * 3, (0.0,) * 3) and not arm.law.moving
        arm.tick([0.6, 0.0, 0.3, *DOWN])
        assert arm.twists[-1] == ((0.0,) * 3, (0.0,) * 3), "the next targets begin from rest"


@pytest.mark.parametrize("why", ["hold", "no state"])
def test_it_brakes_to_exactly_zero_within_the_limit(why: str) -> None:
    arm = moving()
    speed, far = length(arm.twists[-1][0]), [0.75, 0.3, 0.5, *DOWN]
    stale_s = LIMITS.state_timeout_s if why == "no state" else 0.0
    for _ in range(math.ceil((stale_s + LIMITS.speed_m_s / LIMITS.accel_m_s2) / TICK_S) + 1):
        arm.tick(far, holding=why == "hold", measured=why == "hold")
        assert length(arm.twists[-1][0]) <= max(speed, LIMITS.speed_m_s) + 1e-9
    assert arm.twists[-1] == ((0.0,) * 3, (0.0,) * 3), "far as the target is, it is not followed"


def test_a_gap_in_the_targets_starts_again_from_rest() -> None:
    arm = moving()
    assert not arm.law.overdue(arm.now_s + 0.05)
    assert arm.law.overdue(arm.now_s + 0.11)
    arm.now_s += 0.5
    arm.tick([0.75, 0.0, 0.3, *DOWN])
    assert arm.twists[-1] == ((0.0,) * 3, (0.0,) * 3)
    arm.tick([0.75, 0.0, 0.3, *DOWN])
    assert 0.0 < length(arm.twists[-1][0]) <= LIMITS.accel_m_s2 * TICK_S + 1e-9


@pytest.mark.parametrize("apart_s", [0.0, 1e-9, 0.0004, 0.00099])
@pytest.mark.parametrize("times", [1, 2, 50])
def test_the_same_tick_again_has_the_same_twist(apart_s: float, times: int) -> None:
    """A timer that is late calls twice in a row."""
    twice, once = moving(), moving()
    for k in range(40, 45):
        target = [0.45 + 0.08 * k * TICK_S, 0.0, 0.3, *DOWN]
        for arm in (twice, once):
            arm.tick(target)
        for n in range(times):
            again_s = twice.now_s + apart_s * (n + 1) / times
            assert twice.law.twist(target, again_s, holding=n % 2 == 1) == twice.twists[-1]
        assert not twice.law.overdue(twice.now_s + 0.05)
    assert twice.twists == once.twists


def test_ticks_that_come_too_soon_still_add_up() -> None:
    """Targets at 4 kHz are followed as those of 1 kHz; none is the same tick as all before it."""
    law, speeds = TwistLaw(TwistConfig(gain_per_s=0.0), LIMITS), []
    for k in range(4000):
        now_s = 100.0 + 0.00025 * k
        law.take_state([0.45, 0.0, 0.3, *DOWN], now_s)
        speeds.append(length(law.twist([0.45 + 0.05 * (now_s - 100.0), 0.0, 0.3, *DOWN], now_s)[0]))
    assert speeds[-1] == pytest.approx(0.05, rel=1e-3) and min(speeds[2000:]) > 0.049


def test_the_same_tick_again_does_not_undo_a_stop() -> None:
    arm = moving()
    arm.law.stop()
    for apart_s in (0.0, 0.0005, 0.0009):
        assert arm.law.twist([0.6, 0.0, 0.3, *DOWN], arm.now_s + apart_s) == ((0.0,) * 3, (0.0,) * 3)


def test_a_tick_from_before_the_last_is_a_gap() -> None:
    arm = moving()
    assert arm.law.twist([0.6, 0.0, 0.3, *DOWN], arm.now_s - 0.0005) == ((0.0,) * 3, (0.0,) * 3)


def test_no_speed_is_a_limit() -> None:
    arm = IdealArm(TwistLaw(TwistConfig(), Limits(speed_m_s=0.0, rot_speed_rad_s=0.0)))
    for _ in range(5):
        arm.tick([0.6, 0.0, 0.3, 2.9, 0.0, 0.0])
        assert arm.twists[-1] == ((0.0,) * 3, (0.0,) * 3)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"gain_per_s": -0.1}, "gain_per_s"),
        ({"gain_per_s": 6.0}, "gain_per_s"),
        ({"gain_per_s": math.nan}, "gain_per_s"),
        ({"target_timeout_s": 0.0}, "target_timeout_s"),
        ({"target_timeout_s": 1.0}, "target_timeout_s"),
    ],
)
def test_a_twist_loop_that_makes_no_sense_is_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        TwistConfig(**wrong)
