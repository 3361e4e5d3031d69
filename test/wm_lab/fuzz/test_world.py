"""The clock that lies, and the arm that does not follow."""

from __future__ import annotations

import numpy as np
import pytest

from wm_lab.fuzz.world import AILMENTS, DOWN, Body, RosClock


def test_a_clock_keeps_what_it_read() -> None:
    clock = RosClock(1000.0)
    clock.advance(0.0, 1.0)
    clock.set(-10.0)
    clock.advance(1.0, 2.0)
    assert clock.now_s == pytest.approx(992.0)
    assert [clock.at(t) for t in (0.5, 0.999, 1.5, 2.0)] == pytest.approx([1000.5, 1000.999, 991.5, 992.0])


def test_a_clock_stands_still_and_goes_on_at_its_pace() -> None:
    clock = RosClock(0.0, pace=0.5)
    clock.advance(0.0, 1.0)
    clock.stand(until_s=3.0)
    clock.advance(1.0, 2.0)
    assert clock.stands(2.0) and clock.now_s == pytest.approx(0.5)
    clock.advance(2.0, 4.0)
    assert not clock.stands(4.0) and clock.now_s == pytest.approx(1.0)


def moved(ailment: str | None, target: np.ndarray) -> np.ndarray:
    body = Body(np.random.default_rng(1), lag_s=0.1)
    body.state = np.append(DOWN, 0.0)
    if ailment is not None:
        body.ail(ailment, until_s=10.0)
    for k in range(50):
        body.move(0.02 * k, 0.02, target, 1.0)
    return body.state


def test_a_well_arm_goes_where_it_is_told() -> None:
    goal = DOWN + np.array([0.03, 0.0, 0.0, 0.0, 0.0, 0.1])
    np.testing.assert_allclose(moved(None, goal), [*goal, 1.0], atol=1e-3)


@pytest.mark.parametrize("ailment", AILMENTS)
def test_an_ailing_one_does_not(ailment: str) -> None:
    goal = DOWN + np.array([0.03, 0.03, 0.03, 0.0, 0.0, 0.0])
    state = moved(ailment, goal)
    assert np.abs(state[:6] - goal).max() > 0.02
    if ailment == "sinks":
        assert state[2] < DOWN[2] - 0.1
    if ailment == "leans":
        assert state[3] > DOWN[3] + 0.3
