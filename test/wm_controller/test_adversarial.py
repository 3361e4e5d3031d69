"""Whatever comes in, at whatever times: the command stream keeps every limit, judged by the independent monitor."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_controller.controller import ArmState, Controller, ControllerConfig, Plan
from wm_controller.monitor import EnvelopeMonitor
from wm_core.limits import Limits
from wm_core.pose import difference, euler_to_matrix, integrate, rotation_angle
from wm_core.robot_health import RobotHealth

DOWN = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])


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
    now, latched, frozen = 0.0, False, None
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
        command = controller.tick(now)
        stopped = command.mode == "stopped"
        assert monitor.check(now, command.pose, stopped=stopped, gripper=command.gripper) == []
        assert stopped or event != "stop"
        assert not latched or stopped or command.mode == "fault" or event == "resume"
        latched = command.mode in ("stopped", "fault")
        assert bool(command.reason) == (command.mode != "running")
        assert command.gripper is None or command.mode == "running"
        if not stopped:
            frozen = None
        elif command.pose is not None:
            assert frozen is None or np.array_equal(frozen, command.pose)
            frozen = command.pose


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from(["two", "wanders", "anywhere"]))
def test_whatever_measured_poses_do_the_stream_keeps_its_limits(seed: int, told: bool, how: str) -> None:
    """Two who report the arm's pose in turn, and one who leads it about, all within what may be no jump, and beyond."""
    rng = np.random.default_rng(seed)
    limits = Limits(speed_m_s=0.25, rot_speed_rad_s=0.5, accel_m_s2=2.0, rot_accel_rad_s2=4.0)
    controller, monitor = Controller(ControllerConfig(limits=limits)), EnvelopeMonitor(limits)
    now, arm, off, moved_s = 100.0, DOWN, np.zeros(6), 0.0
    way = np.zeros((2, 7))
    way[:, :6] = rng.uniform(-1.0, 1.0, 6) * ([0.03] * 3 + [0.06] * 3)
    controller.on_state(ArmState(now, arm, 0.0), now)
    controller.start(now)
    for k in range(100):
        now += rng.uniform(0.012, 0.035)
        if k >= 20:
            wide = {"two": 0.04, "wanders": 0.01, "anywhere": 0.3}[how]
            change = rng.uniform(-wide, wide, 6)
            off = {"two": off if off.any() else change, "wanders": off + change, "anywhere": change}[how]
        poses = [arm + off, arm] if how == "two" and k % 3 else [arm + off]
        for pose in poses:
            controller.on_state(ArmState(now - rng.uniform(0.0, 0.005), pose, 0.0), now)
        if told and k >= 30:
            controller.trouble("voices", "the nodes 'a' and 'b' publish the pose; end all but one")
        if k % 10 == 0:
            controller.on_plan(Plan(now, 0.25, way), now)
        command = controller.tick(now)
        assert monitor.check(now, command.pose, stopped=command.mode == "stopped") == []
        if command.pose is not None:
            moved_s += float(np.abs(command.pose - arm).max() > 1e-4)
            arm = command.pose
    assert moved_s > 5, "it was on its way"


SOURCES = ("pose", "gripper", "plan", "clock", "voices", "launcher")
calls = st.one_of(
    st.tuples(st.just("pass"), st.floats(0.02, 1.2)),
    st.tuples(st.sampled_from(["start", "stop", "resume", "resume", "end"]), st.none()),
    st.tuples(st.just("trouble"), st.tuples(st.sampled_from(SOURCES), st.booleans(), st.booleans())),
    st.tuples(st.just("robot"), st.tuples(st.sampled_from(["MOVE", "REFLEX", "GUIDING"]), st.floats(-0.5, 0.1))),
    st.tuples(st.just("wrench"), st.sampled_from([0.0, 10.0, 20.0, 40.0, math.nan])),
    st.tuples(st.just("plans"), st.booleans()),
)


@settings(max_examples=80)
@given(st.lists(calls, min_size=5, max_size=40))
def test_any_sequence_of_calls(sequence: list) -> None:
    """What is latched ends by a resume that came alone and late enough; a run by its end; nothing moves otherwise."""
    controller = Controller(ControllerConfig(force_hold_n=15.0, force_stop_n=30.0))
    monitor = EnvelopeMonitor(controller.config.limits)
    now, pose, wrench, plans, before = 50.0, DOWN, np.zeros(6), True, "idle"
    run, runs = controller.run, {controller.run}
    stopped_s = resumed_s = -math.inf
    troubles: dict[str, bool] = {}
    for event, value in sequence:
        ticks, resumed, said = 1, False, ""
        if event == "pass":
            ticks = round(value / 0.02)
        elif event == "end":
            controller.end_run("the end")
        elif event == "trouble":
            source, raised, latch = value
            controller.trouble(source, f"{source} is bad" if raised else "", latch)
            troubles[source] = raised
        elif event == "robot":
            controller.on_robot(RobotHealth(now + value[1], value[0]), now)
        elif event == "wrench":
            wrench = np.array([value, 0.0, 0.0, 0.0, 0.0, 0.0])
        elif event == "plans":
            plans = value
        elif event == "stop":
            controller.stop(now)
            stopped_s = now
        elif event == "resume":
            said = controller.resume(now)
            resumed = said.startswith(("resumed", "stop cleared"))
            assert not resumed or (now - stopped_s >= 1.0 and now - resumed_s >= 0.3)
            resumed_s = now
        else:
            said = controller.start(now)
            assert said == f"started run {run}" or said.startswith("not started: ")
        for _ in range(ticks):
            controller.on_state(ArmState(now, pose, 0.5), now)
            if wrench is not None:
                controller.on_wrench(now, wrench, now)
            troubles["pose"] = False
            if plans and controller.on_plan(Plan(now, 0.25, np.full((1, 7), 0.002)), now) == "":
                troubles["plan"] = False
            command = controller.tick(now)
            stopped = command.mode == "stopped"
            assert monitor.check(now, command.pose, stopped=stopped, gripper=command.gripper) == []
            assert command.gripper is None or command.mode == "running"
            assert command.pose is None or command.mode != "idle"
            assert command.mode != "running" or not any(troubles.values())
            assert stopped or event != "stop"
            if before in ("stopped", "fault") and command.mode not in ("stopped", "fault"):
                assert resumed
            if before == "idle" and command.mode != "idle":
                assert said == f"started run {run}" or event == "stop"
            if controller.run != run:
                assert command.mode == "idle" and controller.run not in runs
                run = controller.run
                runs.add(run)
            if command.mode in ("stopped", "fault") and before not in ("stopped", "fault"):
                stopped_s = now
            before = command.mode
            pose = pose if command.pose is None else command.pose
            now += 0.02


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
            assert now < 1.15 * least_s + 1.2, seed
            controller.on_state(ArmState(now, pose[:6], 0.0), now)
            if now == 0.0:
                controller.start(now)
            if round(now / 0.02) % 12 == 0:
                step = difference(pose, goal)
                step[:3] *= min(1.0, 0.2 / max(np.linalg.norm(step[:3]), 1e-9))
                step[3:6] *= min(1.0, 0.8 / max(np.linalg.norm(step[3:6]), 1e-9))
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
