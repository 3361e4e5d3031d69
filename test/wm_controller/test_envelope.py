"""Clips and predicates of the envelope, compared with brute force over wm_core.pose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wm_controller.envelope import Envelope, tilt
from wm_controller.spatial import Quat, Vec, length, quaternion, scaled, tool_axis, turn_between, turned
from wm_core.limits import Limits

LIMITS = Limits(tilt_rad=0.3)
#: What is commanded is guarded a little within the cone.
GUARD_RAD = 0.99 * LIMITS.tilt_rad
DOWN = quaternion(math.pi, 0.0, 0.4)
HERE: Vec = (0.45, 0.0, 0.3)


def random_turn(rng: np.random.Generator, size: float) -> Vec:
    x, y, z = rng.normal(size=3)
    return scaled((x, y, z), size / math.hypot(x, y, z))


def leaning(rng: np.random.Generator, lean: float) -> Quat:
    yaw, azimuth = rng.uniform(-math.pi, math.pi, 2)
    return turned(quaternion(math.pi, 0.0, yaw), (lean * math.cos(azimuth), lean * math.sin(azimuth), 0.0))


def test_clip_position() -> None:
    envelope = Envelope(LIMITS)
    assert envelope.clip_position(HERE) == HERE
    assert envelope.clip_position((9.0, -9.0, 0.02)) == (0.70, -0.35, 0.02)


def test_a_floor_at_zero_is_a_floor() -> None:
    envelope = Envelope(Limits(box_min_m=(0.25, -0.35, 0.0)))
    assert envelope.clip_position((0.5, 0.0, -0.001))[2] == 0.0
    assert not envelope.position_inside((0.5, 0.0, 0.01), (0.0, 0.0, -0.011), (0.5, 0.0, 0.01))


def test_clip_rotation_leans_the_tool_back_and_no_more() -> None:
    rng, envelope = np.random.default_rng(0), Envelope(LIMITS)
    for _ in range(100):
        lean = rng.uniform(0.0, math.pi)
        q = leaning(rng, lean)
        clipped = envelope.clip_rotation(q)
        assert tilt(q) == pytest.approx(lean, abs=1e-9)
        assert tilt(clipped) <= LIMITS.tilt_rad
        assert length(turn_between(q, clipped)) == pytest.approx(max(0.0, lean - 0.98 * LIMITS.tilt_rad), abs=1e-9)
    assert tilt(envelope.clip_rotation((0.0, 0.0, 0.0, 1.0))) <= LIMITS.tilt_rad  # the tool points straight up


def test_clip_step() -> None:
    envelope = Envelope(LIMITS)
    small = ((0.01, 0.0, 0.02), (0.0, 0.1, 0.0))
    assert envelope.clip_step(*small) == (*small, False)
    shift, turn, clipped = envelope.clip_step((1.0, 0.0, 0.0), (0.0, 0.0, 3.0))
    assert clipped
    assert shift == pytest.approx((LIMITS.step_m, 0.0, 0.0))
    assert turn == pytest.approx((0.0, 0.0, LIMITS.step_rad))


def test_leash() -> None:
    envelope = Envelope(LIMITS)
    assert envelope.leash_position((0.45, 0.0, 0.34), HERE) == ((0.45, 0.0, 0.34), False)
    goal, taut = envelope.leash_position((0.65, 0.0, 0.3), HERE)
    assert taut
    assert goal == pytest.approx((0.45 + LIMITS.leash_m, 0.0, 0.3))
    # An arm pushed out of the box draws the target to the face, not through it.
    assert envelope.leash_position((0.65, 0.0, 0.3), (0.85, 0.0, 0.3))[0] == pytest.approx((0.70, 0.0, 0.3))
    aim, taut = envelope.leash_rotation(turned(DOWN, (0.0, 0.0, 1.0)), DOWN)
    assert taut
    assert turn_between(DOWN, aim) == pytest.approx((0.0, 0.0, LIMITS.leash_rad))
    assert Envelope(Limits(leash_m=0.0)).leash_position((0.46, 0.0, 0.3), HERE)[0] == pytest.approx(HERE)


def test_rotation_inside_sees_the_whole_way() -> None:
    """The answer agrees with the tilt sampled along the turn."""
    rng, envelope, limit = np.random.default_rng(1), Envelope(LIMITS), GUARD_RAD
    for _ in range(200):
        start, turn = leaning(rng, limit - rng.uniform(0.0, 0.2)), random_turn(rng, rng.uniform(0.01, 0.34))
        way = [tilt(turned(start, scaled(turn, share))) for share in np.linspace(0, 1, 40)]
        if abs(max(way) - limit) > 1e-4:
            assert envelope.rotation_inside(start, turn, start) == (max(way) <= limit)


@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-310, 1e-160, 1e-15])
def test_a_turn_next_to_none_is_none(size: float) -> None:
    edge = turned(DOWN, (0.5, 0.0, 0.0))
    for axis in ((size, 0.0, 0.0), (size, -size, size)):
        assert Envelope(LIMITS).rotation_inside(DOWN, axis, DOWN)
        assert Envelope(LIMITS).rotation_inside(edge, axis, DOWN)


def test_a_small_circle_may_bulge_out_of_the_cone() -> None:
    """The tool turns about an axis that leans 0.15 rad, and is 0.1475 rad from it: both ends lean less than 0.297."""
    envelope, axis = Envelope(LIMITS), tool_axis(turned(DOWN, (0.15, 0.0, 0.0)))
    farthest = turned(DOWN, (0.2975, 0.0, 0.0))
    start, end = turned(farthest, scaled(axis, -0.17)), turned(farthest, scaled(axis, 0.17))
    assert max(tilt(start), tilt(end)) < GUARD_RAD < tilt(farthest)
    assert not envelope.rotation_inside(start, scaled(axis, 0.34), start)
    assert envelope.rotation_inside(start, scaled(axis, 0.05), start)


def test_slide_removes_only_what_leans_outwards() -> None:
    rng, envelope = np.random.default_rng(2), Envelope(LIMITS)
    for _ in range(50):
        q, turning = leaning(rng, LIMITS.tilt_rad), random_turn(rng, 0.2)
        slid = envelope.slide(q, turning)
        step = 1e-4
        assert tilt(turned(q, scaled(slid, step))) <= tilt(q) + 1e-7
        if tilt(turned(q, scaled(turning, step))) < tilt(q) - 0.2 * step:
            assert slid == turning
    assert envelope.slide(DOWN, (0.1, 0.1, 0.1)) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("position", "q", "says"),
    [
        (HERE, DOWN, ""),
        ((0.2, 0.0, 0.3), DOWN, "x = 0.200 m"),
        ((0.45, 0.0, 0.0199), DOWN, "outside the workspace box"),
        (HERE, turned(DOWN, (0.31, 0.0, 0.0)), "leans 0.31 rad"),
    ],
)
def test_fault_of_a_measured_pose(position: Vec, q: Quat, says: str) -> None:
    fault = Envelope(LIMITS).fault(position, q)
    assert says in fault
    assert bool(fault) == bool(says)
