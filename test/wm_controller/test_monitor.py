"""The monitor sees each kind of violation, and none in a stream that keeps the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wm_controller.monitor import KINDS, EnvelopeMonitor
from wm_core.limits import Limits

DOWN = np.array([0.45, 0.0, 0.3, math.pi, 0.0, 0.3])
LIMITS = Limits()


def at(**change: float) -> np.ndarray:
    names = ("x", "y", "z", "roll", "pitch", "yaw")
    return DOWN + np.array([change.get(name, 0.0) for name in names])


def kinds(*stream: tuple[float, np.ndarray], **more: object) -> set[str]:
    monitor = EnvelopeMonitor(LIMITS)
    broken = {kind for now, pose in stream for kind in monitor.check(now, pose, **more)}  # type: ignore[arg-type]
    assert broken == {kind for kind in KINDS if monitor.counts[kind]}
    assert bool(monitor.violations) == bool(broken)
    assert all(monitor.worst[kind] > 0.0 for kind in broken)
    return broken


def test_a_calm_stream_is_clean() -> None:
    ramp = [0.0, 0.00002, 0.0001, 0.00025, 0.00045, 0.0006, 0.0007, 0.00075]
    assert kinds(*[(0.02 * i, at(x=x, yaw=2 * x)) for i, x in enumerate(ramp)]) == set()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ([(0.0, at(x=0.3))], {"box"}),
        ([(0.0, at(z=-0.2801))], {"box"}),
        ([(0.0, at(roll=0.51))], {"tilt"}),
        ([(0.0, at(roll=-0.4, pitch=0.4))], {"tilt"}),
        ([(0.0, at(x=math.nan))], {"finite"}),
        ([(math.inf, at())], {"finite"}),
        ([(0.0, DOWN[:5])], {"finite"}),
        ([(0.0, at()), (0.02, at(x=0.0021))], {"speed", "accel", "jerk"}),
        ([(0.0, at()), (0.02, at(yaw=0.0061))], {"rot_speed", "rot_accel", "rot_jerk"}),
        ([(0.0, at()), (0.02, at(x=0.00019))], {"accel", "jerk"}),
        ([(0.0, at()), (0.02, at(yaw=0.0006))], {"rot_accel", "rot_jerk"}),
        ([(0.0, at()), (5.0, at(x=0.0061))], {"jump"}),
        ([(0.0, at()), (5.0, at(yaw=0.019))], {"jump"}),
        ([(0.0, at()), (5.0, at(x=0.0059))], set()),
        ([(0.0, at()), (-1.0, at(x=0.0061))], {"jump"}),
        ([(0.0, at()), (0.0, at(x=0.0002))], {"jump"}),
        ([(0.0, at()), (0.0001, at(x=0.00001))], set()),
    ],
)
def test_each_kind(stream: list, expected: set[str]) -> None:
    assert kinds(*stream) == expected


def test_braking_too_hard() -> None:
    ramp = [0.0, 0.00005, 0.0002, 0.0005, 0.00095, 0.0015, 0.0015]
    assert kinds(*[(0.02 * i, at(x=x)) for i, x in enumerate(ramp[:6])]) == set()
    assert kinds(*[(0.02 * i, at(x=x)) for i, x in enumerate(ramp)]) == {"accel", "jerk"}


@pytest.mark.parametrize(("jerk", "broken"), [(0.99, False), (1.02, True)])
def test_a_constant_jerk_is_measured_at_any_times(jerk: float, broken: bool) -> None:
    """From rest, x = j t^3 / 6 has the jerk j, at whatever times it is looked at."""
    rng = np.random.default_rng(0)
    limits = Limits(jerk_m_s3=10.0, rot_jerk_rad_s3=20.0, accel_m_s2=2.0, rot_accel_rad_s2=4.0, speed_m_s=0.25)
    monitor, now = EnvelopeMonitor(limits), 0.0
    found = set()
    while now < 0.1:
        x, yaw = jerk * 10.0 * now**3 / 6, jerk * 20.0 * now**3 / 6
        found.update(monitor.check(now, at(x=x, yaw=yaw)))
        now += rng.uniform(0.003, 0.02)
    assert found == ({"jerk", "rot_jerk"} if broken else set())


def test_a_stop_may_be_abrupt_but_is_a_stop() -> None:
    monitor = EnvelopeMonitor(LIMITS)
    for i, x in enumerate([0.0, 0.00005, 0.0002, 0.0005, 0.00095]):
        assert monitor.check(0.02 * i, at(x=x)) == []
    assert monitor.check(0.10, at(x=0.00095), stopped=True) == []
    assert monitor.check(0.12, at(x=0.00105), stopped=True) == ["stop"]


def test_a_new_stream_may_begin_elsewhere() -> None:
    monitor = EnvelopeMonitor(LIMITS)
    monitor.check(0.0, at())
    assert monitor.check(0.02, None) == []
    assert monitor.check(0.04, at(x=0.1)) == []
    assert monitor.commands == 2


def test_leash() -> None:
    """Once the arm has been watched for 0.2 s: beyond the leash the target must brake or come nearer."""
    monitor, arm = EnvelopeMonitor(LIMITS), at(x=-0.0499)
    monitor.check(0.0, at(), measured=arm)
    found = [monitor.check(0.02 * k, at(x=4e-5 * k * (k + 1) / 2), measured=arm) for k in range(1, 20)]
    assert found[:10] == [[]] * 10 and found[-1] == ["leash"]
    x = 4e-5 * 19 * 20 / 2
    for k in range(18):  # away from the arm, but braking
        x += 4e-5 * (18 - k)
        assert "leash" not in monitor.check(0.02 * (20 + k), at(x=x), measured=arm)


def test_a_target_may_follow_where_the_arm_was_a_moment_ago() -> None:
    """An arm that is pushed past the target and back: nothing can follow that at once."""
    monitor = EnvelopeMonitor(LIMITS)
    for k in range(60):
        arm = at(x=0.2 if k % 8 < 2 else -0.2)
        assert "leash" not in monitor.check(0.02 * k, at(x=4e-5 * k * (k + 1) / 2), measured=arm)


def test_gripper() -> None:
    for value, broken in ((0.0, False), (1.0, False), (-0.01, True), (1.01, True), (math.nan, True)):
        assert (EnvelopeMonitor(LIMITS).check(0.0, at(), gripper=value) == ["gripper"]) == broken
