from __future__ import annotations

import numpy as np
import pytest

from wm_core import pose
from wm_core.limits import Limits
from wm_core.path import integrate_path
from wm_planner import guardrails
from wm_planner.guardrails import box, gripper, step, tilt

PERIOD_S = 0.5
LIMITS = Limits()  # 0.05 m, 0.15 rad per step; 0.10 m/s and 0.3 rad/s allow the same in half a second


def verdict(violation, state, *steps, limits=LIMITS, period_s=PERIOD_S) -> float:
    """The violation of one candidate, its steps given as {dimension: delta}."""
    actions = np.zeros((1, len(steps), 7))
    for k, moves in enumerate(steps):
        for dimension, delta in moves.items():
            actions[0, k, dimension] = delta
    return violation(integrate_path(state, actions), actions, limits, period_s)[0]


def test_every_guardrail_is_listed():
    assert [name for name, _ in guardrails.ALL] == ["box", "step", "tilt", "gripper"]


def test_standing_still_is_feasible_from_anywhere():
    rng = np.random.default_rng(1)
    for _ in range(50):
        state, still = rng.uniform(-3, 3, 7), np.zeros((1, 3, 7))
        zero = Limits(
            step_m=0.0, step_rad=0.0, speed_m_s=0.0, rot_speed_rad_s=0.0, tilt_rad=0.0, box_min_m=(0.4, 0, 0.2),
            box_max_m=(0.4, 0, 0.2),
        )  # fmt: skip
        assert not guardrails.violations(integrate_path(state, still), still, zero, PERIOD_S).any()


def test_box_faces(state):
    state[:3] = 0.69, 0.0, 0.03
    assert verdict(box.violation, state, {0: 0.01}) == 0.0
    assert verdict(box.violation, state, {0: 0.02}) == pytest.approx(0.01)
    assert verdict(box.violation, state, {2: -0.03}) == pytest.approx(0.02)
    assert verdict(box.violation, state, {2: -0.03}, {2: 0.03}) == pytest.approx(0.02), "a dip below the floor counts"


def test_a_floor_at_zero_is_a_floor(state):
    state[2] = 0.01
    assert verdict(box.violation, state, {2: -0.02}, limits=Limits(box_min_m=(0.25, -0.35, 0.0))) > 0.0


def test_from_outside_the_box_only_the_way_back_is_open(state):
    state[0] = 0.80
    assert verdict(box.violation, state, {0: -0.02}) == 0.0
    assert verdict(box.violation, state, {0: -0.02}, {0: -0.02}) == 0.0
    assert verdict(box.violation, state, {1: 0.02}) == 0.0, "along the face"
    assert verdict(box.violation, state, {0: 0.02}) == pytest.approx(0.02)
    assert verdict(box.violation, state, {0: -0.03}, {0: 0.02}) == pytest.approx(0.02), "not even halfway back out"


def test_jumping_over_the_box_is_not_coming_back(state):
    thin = Limits(box_min_m=(0.4, -0.35, 0.02), box_max_m=(0.4, 0.35, 0.6))
    state[0] = 0.37
    assert verdict(box.violation, state, {0: 0.03}, limits=thin) == 0.0
    assert verdict(box.violation, state, {0: 0.04}, limits=thin) == pytest.approx(0.01)


def test_step_length_and_speed(state):
    assert verdict(step.violation, state, {0: 0.03, 1: 0.04}) == 0.0
    assert verdict(step.violation, state, {0: 0.03, 1: 0.05}) == pytest.approx(np.hypot(0.03, 0.05) - 0.05)
    assert verdict(step.violation, state, {0: 0.05}, period_s=0.25) == pytest.approx(0.025), "too fast"
    assert verdict(step.violation, state, {5: 0.15}) == 0.0
    assert verdict(step.violation, state, {5: 0.20}) == pytest.approx(0.05)
    assert verdict(step.violation, state, {5: 0.15}, period_s=0.25) == pytest.approx(0.075)
    assert verdict(step.violation, state, {}, {0: 0.06}) == pytest.approx(0.01), "the second step counts too"
    assert verdict(step.violation, state, {0: 1e-6}, limits=Limits(step_m=0.0)) > 0.0
    assert verdict(step.violation, state, {5: 1e-6}, limits=Limits(rot_speed_rad_s=0.0)) > 0.0


def test_turn_angle_is_the_rotations():
    euler = np.random.default_rng(0).uniform(-1.5, 1.5, (200, 3))
    np.testing.assert_allclose(step.turn_angle(euler), pose.rotation_angle(pose.euler_to_matrix(euler)), atol=1e-9)


def test_tilt(state):
    state[5] = 0.0
    assert verdict(tilt.violation, state, {3: 0.5}) == 0.0
    assert verdict(tilt.violation, state, {3: 0.6}) == pytest.approx(0.1)
    assert verdict(tilt.violation, state, {5: 1.0}) == 0.0, "yaw does not tilt"
    state[3] = np.pi - 0.8
    assert verdict(tilt.violation, state, {3: 0.1}) == 0.0, "back towards upright"
    assert verdict(tilt.violation, state, {3: -0.1}) == pytest.approx(0.1)
    assert verdict(tilt.violation, state, {3: 0.1}, {3: -0.1}) == pytest.approx(0.1)


def test_tilt_angle_is_the_poses():
    euler = np.random.default_rng(0).uniform(-3, 3, (200, 3))
    np.testing.assert_allclose(tilt.tilt_angle(euler), pose.tilt(euler), atol=1e-7)
    assert tilt.tilt_angle(np.array([np.pi - 1e-10, 0.0, 0.3])) == pytest.approx(1e-10, rel=1e-3)


def test_gripper(state):
    assert verdict(gripper.violation, state, {6: 1.0}) == 0.0
    assert verdict(gripper.violation, state, {6: -1.2}) == pytest.approx(0.2)
    beyond = np.tile(state, (1, 2, 1))
    beyond[0, 1, 6] = 1.1
    assert gripper.violation(beyond, np.zeros((1, 1, 7)), LIMITS, PERIOD_S)[0] == pytest.approx(0.1)


@pytest.mark.parametrize("dimension", range(7))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_never_feasible(state, dimension, value):
    actions = np.zeros((2, 2, 7))
    actions[1, 1, dimension] = value
    with np.errstate(invalid="ignore"):
        found = guardrails.violations(integrate_path(state, actions), actions, LIMITS, PERIOD_S).max(axis=0)
    assert found[0] == 0.0 and found[1] > 0.0


def test_binding_names_what_holds_a_plan_back(state):
    def name(**moves):
        plan = np.zeros((1, 7))
        for dimension, delta in moves.items():
            plan[0, int(dimension[1])] = delta
        return guardrails.binding(state, plan, LIMITS, PERIOD_S)

    assert name(d0=0.01) == "ok"
    assert name(d0=0.05) == "step"
    assert name(d5=0.15) == "step"
    state[2] = 0.05
    assert name(d2=-0.03) == "box"
    state[2] = 0.01
    assert name(d2=0.01) == "box"
    state[2:6] = 0.3, np.pi - 0.4, 0.0, 0.0
    assert name(d3=-0.1) == "tilt"
