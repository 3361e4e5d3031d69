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
    ramp = [0.0, 0.00005, 0.0002, 0.0004, 0.0006, 0.0008, 0.00095, 0.001]
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
        ([(0.0, at()), (0.02, at(x=0.0021))], {"speed", "accel"}),
        ([(0.0, at()), (0.02, at(yaw=0.0061))], {"rot_speed", "rot_accel"}),
        ([(0.0, at()), (0.02, at(x=0.00019))], {"accel"}),
        ([(0.0, at()), (0.02, at(yaw=0.0005))], {"rot_accel"}),
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
    ramp = [0.0, 0.0001, 0.0004, 0.0009, 0.0016, 0.0016]
    assert kinds(*[(0.02 * i, at(x=x)) for i, x in enumerate(ramp[:5])]) == set()
    assert kinds(*[(0.02 * i, at(x=x)) for i, x in enumerate(ramp)]) == {"accel"}


def test_a_stop_may_be_abrupt_but_is_a_stop() -> None:
    monitor = EnvelopeMonitor(LIMITS)
    for i, x in enumerate([0.0, 0.0001, 0.0004, 0.0009, 0.0016]):
        assert monitor.check(0.02 * i, at(x=x)) == []
    assert monitor.check(0.10, at(x=0.0016), stopped=True) == []
    assert monitor.check(0.12, at(x=0.0017), stopped=True) == ["stop"]


def test_a_new_stream_may_begin_elsewhere() -> None:
    monitor = EnvelopeMonitor(LIMITS)
    monitor.check(0.0, at())
    assert monitor.check(0.02, None) == []
    assert monitor.check(0.04, at(x=0.1)) == []
    assert monitor.commands == 2


def test_leash() -> None:
    monitor = EnvelopeMonitor(LIMITS)
    arm = at(x=-0.0499)
    assert monitor.check(0.00, at(), measured=arm) == []
    assert monitor.check(0.02, at(x=0.00009), measured=arm) == []
    assert monitor.check(0.04, at(x=0.00035), measured=arm) == ["leash"]
    assert monitor.check(0.06, at(x=0.00050), measured=arm) == []  # still away from the arm, but braking
    assert monitor.check(0.08, at(x=0.00050, yaw=0.0001), measured=at(yaw=-0.36)) == ["leash"]


def test_gripper() -> None:
    for value, broken in ((0.0, False), (1.0, False), (-0.01, True), (1.01, True), (math.nan, True)):
        assert (EnvelopeMonitor(LIMITS).check(0.0, at(), gripper=value) == ["gripper"]) == broken
