"""Whatever comes in, at whatever times: the command stream keeps every limit, judged by the independent monitor."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_controller.controller import ArmState, Controller, ControllerConfig, Plan
from wm_controller.monitor import EnvelopeMonitor
from wm_core.limits import Limits
from wm_core.pose import difference, euler_to_matrix, integrate, rotation_angle

DOWN = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])
BAD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e9)

LIMITS = {
    "defaults": Limits(),
    "ceilings": Limits(
        (0.20, -0.45, 0.0), (0.75, 0.45, 0.70), 0.25, 0.5, 2.0, 4.0, 0.075, 0.30, 0.5, 0.05, 0.35, 0.3, 0.2
    ),
    "small box, slow brakes": Limits((0.43, -0.02, 0.29), (0.47, 0.02, 0.31), 0.25, 0.5, 0.2, 0.3, tilt_rad=0.1),
    "no turning": Limits(rot_speed_rad_s=0.0),
    "no motion": Limits(speed_m_s=0.0, accel_m_s2=0.0, rot_accel_rad_s2=0.0),
}


def random_deltas(rng: np.random.Generator) -> object:
    """Mostly plausible steps in one direction, sometimes nonsense."""
    kind = rng.random()
    steps = int(rng.integers(1, 5))
    deltas = rng.normal(0, 0.03, (1, 7)) * np.ones((steps, 1)) + rng.normal(0, 0.01, (steps, 7))
    deltas[:, 3:6] *= 4.0
    deltas[:, 6] = rng.normal(0, 0.5, steps)
    if kind < 0.10:
        deltas[rng.integers(steps), rng.integers(7)] = rng.choice(BAD)
    elif kind < 0.15:
        deltas *= 10.0 ** rng.integers(1, 300)
    elif kind < 0.20:
        shapes = (2, 6), (7,), (0, 7), (1, 2, 7)
        bad = [np.zeros(shape) for shape in shapes] + [None, "forward", [[1], [2, 3]]]
        return bad[rng.integers(len(bad))]
    return deltas


def run(limits: Limits, seed: int, ticks: int, execute_steps: int) -> tuple[EnvelopeMonitor, float, Controller]:
    """A random session. Returns its monitor, the length of the commanded path in m, and the controller."""
    rng = np.random.default_rng(seed)
    controller = Controller(ControllerConfig(limits=limits, execute_steps=execute_steps))
    monitor = EnvelopeMonitor(limits)
    arm = np.append(DOWN + rng.normal(0, 0.003, 6), 0.0)
    now, path, last, frozen = 1.7e9 if seed % 2 else 0.0, 0.0, None, None
    controller.on_state(ArmState(now, arm[:6], arm[6]), now)
    seen = arm[:6].copy()  # the newest state that the controller accepted
    controller.start(now)
    silent_until = now
    for _ in range(ticks):
        now += rng.uniform(0.005, 0.040)
        event = rng.random()
        if event < 0.004:
            now += rng.uniform(0.05, 3.0)  # the process was suspended
        elif event < 0.008:
            now -= rng.uniform(0.0, 1.0)  # the clock was set back
        elif event < 0.012:
            silent_until = now + rng.uniform(0.1, 0.6)  # the arm's driver hangs
        elif event < 0.016:
            controller.stop(now)
        elif event < 0.03:
            controller.resume(now)
        elif event < 0.034:
            arm = integrate(arm, rng.normal(0, 0.1, 7))  # somebody pushes the arm
        if now >= silent_until:
            stamp = now - rng.uniform(0.0, 0.02) if rng.random() < 0.98 else now + rng.choice([-1.0, 1.0, math.nan])
            pose = arm[:6].copy()
            if rng.random() < 0.02:
                pose[rng.integers(6)] = rng.choice(BAD[:3])
            if not controller.on_state(ArmState(stamp, pose, rng.random()), now):
                seen = pose
        if rng.random() < 0.08:
            stamp = now - rng.uniform(0.0, 0.3) if rng.random() < 0.9 else now + rng.choice([-3.0, 1.0, math.nan])
            period = rng.choice([0.1, 0.25, 1.0]) if rng.random() < 0.97 else rng.choice([0.0, -1.0, math.nan])
            controller.on_plan(Plan(stamp, period, random_deltas(rng)), now)  # type: ignore[arg-type]
        command = controller.tick(now)
        stopped = command.mode == "stopped"
        broken = monitor.check(now, command.pose, stopped=stopped, measured=seen, gripper=command.gripper)
        assert not broken, (broken, monitor.worst, command, now)
        if command.pose is None:
            continue
        if stopped:
            assert frozen is None or np.array_equal(command.pose, frozen), "the target moved after a stop"
            frozen = command.pose
        else:
            frozen = None
        path += 0.0 if last is None else float(np.linalg.norm(command.pose[:3] - last[:3]))
        last = command.pose
        arm[:3] += rng.uniform(0.0, 0.6) * (command.pose[:3] - arm[:3])
        arm[3:6] = command.pose[3:6] if rng.random() < 0.3 else arm[3:6]
    return monitor, path, controller


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("seed", range(4))
def test_random_sessions(name: str, seed: int) -> None:
    monitor, path, controller = run(LIMITS[name], seed, ticks=1000, execute_steps=1 + seed % 3)
    assert monitor.violations == 0
    assert monitor.commands > 800
    if name == "no motion":
        assert path == 0.0
    else:
        status = controller.status(0.0)
        assert path > 0.1 and status.plans > 20, "the session must have moved, or it shows nothing"


anything = st.floats(allow_nan=True, allow_infinity=True)
small = st.floats(-0.1, 0.1)
events = st.one_of(
    st.tuples(st.just("tick"), st.floats(0.005, 0.040)),
    st.tuples(st.just("tick"), st.floats(-1.0, 1.0)),
    st.tuples(st.just("state"), st.lists(small, min_size=6, max_size=6)),
    st.tuples(st.just("state"), st.lists(anything, min_size=5, max_size=7)),
    st.tuples(st.just("plan"), st.lists(st.lists(small, min_size=7, max_size=7), min_size=1, max_size=3)),
    st.tuples(st.just("plan"), st.lists(st.lists(anything, min_size=7, max_size=7), min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["start", "stop", "resume"]), st.none()),
)


@settings(max_examples=60)
@given(st.lists(events, min_size=10, max_size=80), st.integers(1, 3))
def test_any_sequence_of_inputs(sequence: list, execute_steps: int) -> None:
    controller = Controller(ControllerConfig(execute_steps=execute_steps))
    monitor = EnvelopeMonitor(controller.config.limits)
    now, stopped, frozen = 0.0, False, None
    controller.on_state(ArmState(now, DOWN, 0.0), now)
    controller.start(now)
    for event, value in sequence:
        if event == "tick":
            now += value
        elif event == "state":
            offsets = np.zeros(len(value)) if len(value) != 6 else DOWN
            controller.on_state(ArmState(now, offsets + np.array(value), 0.5), now)
        elif event == "plan":
            controller.on_plan(Plan(now, 0.25, np.array(value)), now)
        else:
            getattr(controller, event)(now)
            stopped = event == "stop" or (stopped and event != "resume")
        command = controller.tick(now)
        assert monitor.check(now, command.pose, stopped=stopped, gripper=command.gripper) == []
        assert (command.mode == "stopped") == stopped
        assert bool(command.reason) == (command.mode != "running")
        if not stopped:
            frozen = None
        elif command.pose is not None:
            assert frozen is None or np.array_equal(frozen, command.pose)
            frozen = command.pose


def test_random_goals_are_reached_in_almost_the_least_time() -> None:
    """With all these limits the arm still gets everywhere: also along faces of the box and the edge of the cone."""
    limits = Limits(tilt_rad=0.3)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        edge = seed % 2 == 0
        start, goal = (random_pose(rng, limits, edge) for _ in range(2))
        controller, monitor = Controller(ControllerConfig(limits=limits)), EnvelopeMonitor(limits)
        way = difference(start, goal)
        least_s = max(np.linalg.norm(way[:3]) / limits.speed_m_s, rotation_of(way) / limits.rot_speed_rad_s)
        pose, now = start, 0.0
        while np.linalg.norm(difference(pose, goal)[:3]) > 1e-3 or rotation_of(difference(pose, goal)) > 0.02:
            assert now < 1.1 * least_s + 1.0, seed
            controller.on_state(ArmState(now, pose[:6], 0.0), now)
            if now == 0.0:
                controller.start(now)
            if round(now / 0.02) % 12 == 0:
                step = difference(pose, goal)
                assert controller.on_plan(Plan(now, 0.25, step[None]), now) == ""
            command = controller.tick(now)
            assert monitor.check(now, command.pose, measured=pose[:6]) == []
            assert command.pose is not None
            pose = np.append(command.pose, 0.0)
            now += 0.02


def random_pose(rng: np.random.Generator, limits: Limits, edge: bool) -> np.ndarray:
    """A 7-D state in the box and cone, or on a face of the box and (but for the last percent) the edge of the cone."""
    position = rng.uniform(limits.box_min_m, limits.box_max_m)
    if edge:
        axis = rng.integers(3)
        position[axis] = (limits.box_min_m, limits.box_max_m)[rng.integers(2)][axis]
    lean = limits.tilt_rad * (0.985 if edge else rng.uniform(0.0, 0.9))
    upright = np.array([*position, math.pi, 0.0, rng.uniform(-1.0, 1.0), 0.0])
    # Turning about the base's x axis leans the tool; turning about z afterwards says where to.
    return integrate(integrate(upright, [0, 0, 0, lean, 0, 0, 0]), [0, 0, 0, 0, 0, rng.uniform(-1.5, 1.5), 0])


def rotation_of(delta: np.ndarray) -> float:
    return float(rotation_angle(euler_to_matrix(delta[3:6])))
