"""What the controller does, tick by tick, with an arm that follows its target exactly unless a test says otherwise."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from wm_controller.controller import CLIPS, ArmState, Command, Controller, ControllerConfig, Plan
from wm_controller.inputs import StampClock
from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_controller.monitor import SILENT_S, EnvelopeMonitor
from wm_controller.spatial import quaternion
from wm_core.errors import ConfigError
from wm_core.limits import CEILING, Limits
from wm_core.pose import difference, euler_to_matrix, integrate, rotation_angle, tilt
from wm_core.robot_health import RobotHealth

DOWN = np.array([0.45, 0.0, 0.3, math.pi, 0.0, 0.3])
TICK_S = 0.02


def deltas(steps: int = 1, **change: float) -> np.ndarray:
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    return np.tile([change.get(name, 0.0) for name in names], (steps, 1))


class Rig:
    """A controller, the arm below it, a clock, and the monitor, which every tick must satisfy."""

    def __init__(self, pose: np.ndarray = DOWN, start: bool = True, moves: bool = True, **config: object) -> None:
        self.controller = Controller(ControllerConfig(**config), moves=moves)  # type: ignore[arg-type]
        self.monitor = EnvelopeMonitor(self.controller.config.limits)
        self.now, self.pose, self.gripper, self.wrench = 100.0, pose.copy(), 0.0, None
        self.follows = self.reports = True
        self.trace: list[Command] = []
        self._sent_s = self.now
        if start:
            self.controller.start(self.now)
            self.run(TICK_S)

    def plan(self, values: object, period_s: float = 0.25, age_s: float = 0.0) -> str:
        return self.controller.on_plan(Plan(self.now - age_s, period_s, values), self.now)  # type: ignore[arg-type]

    def run(self, duration_s: float) -> Command:
        for _ in range(max(1, round(duration_s / TICK_S))):
            self.now += TICK_S
            if self.reports:
                self.controller.on_state(ArmState(self.now, self.pose, self.gripper), self.now)
                if self.wrench is not None:
                    self.controller.on_wrench(self.now, self.wrench, self.now)
            command = self.controller.tick(self.now)
            stopped = command.mode == "stopped"
            paused, self._sent_s = self.now - self._sent_s > SILENT_S, self.now
            if paused and command.pose is not None and error(command.pose, self.pose)[0] < 1e-6:
                self.monitor.check(self.now, None)  # a stream may begin anew where the arm is
            broken = self.monitor.check(self.now, command.pose, stopped=stopped, gripper=command.gripper)
            assert not broken, (broken, self.monitor.worst)
            if command.pose is not None and self.follows:
                self.pose = command.pose.copy()
            self.trace.append(command)
        return command

    def carry(self, to: np.ndarray, metres_per_s: float = 0.5) -> Command:
        """Somebody moves the arm to ``to``, not faster than a hand does."""
        start, ticks = self.pose.copy(), 1 + int(np.abs(to - self.pose).max() / (metres_per_s * TICK_S))
        for k in range(1, ticks + 1):
            self.pose = start + (to - start) * k / ticks
            command = self.run(TICK_S)
        return command

    def speeds(self, last: int) -> np.ndarray:
        """Of the last targets."""
        places = [c.pose[:3] for c in self.trace if c.pose is not None][-last - 1 :]
        return np.linalg.norm(np.diff(places, axis=0), axis=1) / TICK_S


def error(pose: np.ndarray, goal: np.ndarray) -> tuple[float, float]:
    d = difference(np.append(pose, 0.0), np.append(goal, 0.0))
    return float(np.linalg.norm(d[:3])), float(rotation_angle(euler_to_matrix(d[3:6])))


def test_in_a_dry_run_nothing_follows_and_a_person_may_carry_the_arm() -> None:
    rig = Rig(moves=False)
    rig.follows = False
    for to in (DOWN, DOWN + np.array([0.1, 0.1, 0.1, 0.0, 0.0, 0.0]), DOWN):
        rig.carry(to)
        for _ in range(20):
            rig.plan(deltas(x=0.02))
            assert rig.run(0.25).mode == "running", rig.trace[-1].reason
        command = rig.trace[-1]
        assert 0.01 < np.linalg.norm(command.pose[:3] - rig.pose[:3]) <= 0.051, "from where it is, as far as a leash"
    rig.controller.stop(rig.now)
    rig.carry(DOWN + np.array([0.1, 0.0, 0.1, 0.0, 0.0, 0.0]))
    rig.run(1.1)
    assert rig.controller.resume(rig.now).startswith("resumed")


# --- before any motion


def test_idle_commands_nothing() -> None:
    rig = Rig(start=False)
    command = rig.run(0.1)
    assert (command.pose, command.gripper, command.mode) == (None, None, "idle")
    assert rig.plan(deltas(x=0.02)) == "not started"


def test_the_first_target_is_the_measured_pose() -> None:
    rig = Rig(start=False)
    rig.gripper = 0.4
    rig.controller.start(rig.now)
    command = rig.run(TICK_S)
    np.testing.assert_allclose(error(command.pose, DOWN), 0.0, atol=1e-9)
    assert (command.gripper, command.mode, command.reason) == (None, "holding", "waiting for a plan")


def test_nothing_is_commanded_before_a_state_has_come() -> None:
    rig = Rig(start=False)
    rig.reports = False
    rig.controller.start(rig.now)
    command = rig.run(0.1)
    assert (command.pose, command.mode, command.reason) == (None, "holding", "no arm state yet; start the arm's driver")


@pytest.mark.parametrize(("change", "says"), [((0.0, 0.0, -0.29, 0.0), "z = 0.010"), ((0.0, 0.0, 0.0, 0.6), "leans")])
def test_an_arm_outside_box_or_cone_gets_no_target_until_it_is_inside(change: tuple, says: str) -> None:
    x, y, z, roll = change
    rig = Rig(DOWN + np.array([x, y, z, roll, 0.0, 0.0]))
    assert rig.trace[-1].pose is None
    assert says in rig.trace[-1].reason
    rig.plan(deltas(z=0.02))
    assert rig.run(0.1).pose is None
    before = len(rig.trace)
    rig.carry(DOWN.copy())
    inside = next(c.pose for c in rig.trace[before:] if c.pose is not None)
    assert not rig.controller._envelope.fault(inside[:3], quaternion(*inside[3:]))


def test_start_stop_resume_answer_in_words() -> None:
    runs = iter(("00000001", "00000002"))
    controller = Controller(ControllerConfig(), lambda: next(runs))
    assert controller.resume(0.0) == "not stopped"
    assert "stopped by the operator" in controller.stop(0.0)
    assert "call resume" in controller.start(0.0)
    for k in range(51):
        controller.tick(0.1 * k)
    assert controller.resume(5.0) == RESUMED
    assert controller.start(5.0) == "started run 00000001"
    assert controller.start(5.0) == "not started: already running"


# --- following plans


def test_a_step_ends_at_its_target_seven_dimensions() -> None:
    rig = Rig()
    goal = integrate(np.append(DOWN, 0.0), deltas(x=0.01, y=-0.01, z=0.015, roll=0.02, pitch=-0.03, yaw=0.04)[0])
    assert rig.plan(deltas(x=0.01, y=-0.01, z=0.015, roll=0.02, pitch=-0.03, yaw=0.04, gripper=0.9), 0.5) == ""
    command = rig.run(0.5)
    assert command.mode == "running"
    metres, radians = error(command.pose, goal[:6])
    assert metres < 0.004 and radians < 0.01, "at the end of the step only the last braking is left"
    assert command.gripper == 0.9
    command = rig.run(0.3)
    np.testing.assert_allclose(error(command.pose, goal[:6]), 0.0, atol=1e-6)
    assert rig.speeds(2).max() < 1e-6


def test_the_pace_is_that_of_the_step() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(1.0)
    assert rig.speeds(40)[:30].max() < 0.036
    assert rig.speeds(40)[:30].min() > 0.029


def test_steps_in_one_direction_flow() -> None:
    """Each plan comes when the step before it ends, and the next one 60 ms late: the arm never comes to rest."""
    rig = Rig()
    rig.run(0.1)
    for _ in range(8):
        rig.plan(deltas(y=0.02), age_s=0.06)
        rig.run(0.24)
    assert rig.speeds(60).min() > 0.02
    assert rig.speeds(60).mean() > 0.05


def test_a_plan_of_several_steps_flows_even_better() -> None:
    rig = Rig(execute_steps=4)
    rig.plan(deltas(4, y=0.02))
    command = rig.run(1.2)
    assert error(command.pose, DOWN + np.array([0, 0.08, 0, 0, 0, 0]))[0] < 1e-4
    assert rig.speeds(60)[15:45].min() > 0.07


def test_only_execute_steps_are_executed() -> None:
    rig = Rig(execute_steps=2)
    rig.plan(deltas(5, y=0.01))
    assert rig.run(1.0).pose[1] == pytest.approx(0.02, abs=1e-6)


def test_flowing_into_a_step_that_never_comes_overshoots_by_no_more_than_the_braking() -> None:
    rig = Rig()
    rig.plan(deltas(2, x=0.02))
    rig.run(1.0)
    limits = rig.controller.config.limits
    furthest = max(c.pose[0] for c in rig.trace) - DOWN[0]
    assert 0.02 <= furthest <= 0.02 + 0.08**2 / (2 * 0.8 * limits.accel_m_s2)
    assert rig.speeds(10).max() == 0.0
    rig = Rig()
    rig.plan(deltas(1, x=0.02))
    rig.run(1.0)
    assert max(c.pose[0] for c in rig.trace) - DOWN[0] <= 0.02 + 1e-9


def test_a_turn_back_is_smooth() -> None:
    rig = Rig()  # each tick is judged by the monitor
    for k in range(10):
        rig.plan(deltas(x=0.025 * (-1) ** k, yaw=0.07 * (-1) ** k))
        rig.run(0.16)


def test_the_anchor_is_the_measured_pose_at_the_plans_stamp() -> None:
    """Between two states it is interpolated; what the arm moved since does not add to the step."""
    rig = Rig()
    rig.follows = False
    for k in range(10):  # the arm is carried along y at 0.05 m/s
        rig.pose = DOWN + np.array([0.0, 0.001 * k, 0.0, 0.0, 0.0, 0.002 * k])
        rig.run(TICK_S)
    assert rig.plan(deltas(x=0.01, yaw=0.02), age_s=0.09) == ""  # half-way between the fifth and the sixth
    command = rig.run(0.7)
    goal = DOWN + np.array([0.01, 0.0045, 0.0, 0.0, 0.0, 0.009 + 0.02])
    np.testing.assert_allclose(error(command.pose, goal), 0.0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "measured", "command"),
    [(0.24, 0.5, 0.5), (-0.24, 0.5, 0.5), (0.25, 0.5, 0.75), (-0.4, 0.5, 0.1), (1.0, 0.5, 1.0), (-2.9, 0.5, 0.0)],
)
def test_the_gripper_rule(change: float, measured: float, command: float) -> None:
    rig = Rig(start=False)
    rig.gripper = 0.3
    rig.controller.start(rig.now)
    rig.run(TICK_S)
    rig.gripper = measured
    rig.run(TICK_S)
    rig.plan(deltas(gripper=change))
    assert rig.run(2 * TICK_S).gripper == pytest.approx(command)


def test_a_grasp_keeps_squeezing() -> None:
    rig = Rig(execute_steps=2)
    rig.plan(np.concatenate([deltas(), deltas(gripper=0.75)]))
    assert rig.run(0.2).gripper == 0.0
    assert rig.run(0.1).gripper == 0.75
    rig.gripper = 0.4  # on the object
    rig.run(TICK_S)
    rig.plan(deltas(z=0.01))
    assert rig.run(0.2).gripper == 0.75
    command = rig.run(0.6)
    assert (command.mode, command.gripper) == ("holding", None)
    rig.plan(deltas(z=0.01))
    assert rig.run(TICK_S).gripper == 0.75, "a short hold that ends by itself forgets nothing"


def test_the_first_gripper_command_is_what_is_measured_whatever_the_first_plan_wants() -> None:
    rig = Rig()
    rig.gripper = 0.1
    rig.run(TICK_S)
    rig.plan(deltas(gripper=0.75))
    assert [rig.run(TICK_S).gripper for _ in range(3)] == pytest.approx([0.1, 0.85, 0.85])
    rig.controller.trouble("voices", "somebody else speaks")
    assert rig.run(0.1).gripper is None
    rig.controller.trouble("voices", "")
    assert rig.run(TICK_S).gripper == pytest.approx(0.85), "a short hold is no new beginning"


@pytest.mark.parametrize("ticks", [1, 2])
def test_what_a_hold_kept_from_the_gripper_is_not_told_after_it(ticks: int) -> None:
    rig = Rig()
    rig.gripper = 0.1
    rig.run(TICK_S)
    rig.plan(deltas(gripper=0.75))
    told = rig.run(ticks * TICK_S).gripper
    assert told == pytest.approx(0.1 if ticks == 1 else 0.85)
    rig.controller.trouble("clock", "the clock was set")
    assert rig.run(0.1).gripper is None
    rig.controller.trouble("clock", "")
    rig.plan(deltas(x=0.01))
    assert rig.run(0.1).mode == "running"
    assert rig.trace[-1].gripper == told, "the new plan asks for nothing"


@pytest.mark.parametrize("end", ["stop", "fault", "end"])
def test_after_a_stop_or_a_new_start_the_gripper_is_commanded_from_where_it_is(end: str) -> None:
    rig = Rig(execute_steps=3)
    rig.plan(np.concatenate([deltas(gripper=0.75), deltas(), deltas(gripper=-0.75)]))
    assert rig.run(0.1).gripper == 0.75
    if end == "stop":
        rig.controller.stop(rig.now)
    elif end == "fault":
        rig.controller.on_robot(RobotHealth(rig.now, "REFLEX"), rig.now)
        rig.run(TICK_S)
        rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    else:
        rig.controller.end_run("the last goal was reached")
    rig.gripper = 0.75
    rig.run(1.0)
    rig.gripper = 0.1  # a person opens the hand
    rig.run(0.1)
    assert all(c.gripper is None for c in rig.trace[-55:])
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    (rig.controller.start if end == "end" else rig.controller.resume)(rig.now)
    rig.controller.on_robot(RobotHealth(rig.now + TICK_S, "MOVE"), rig.now + TICK_S)
    assert rig.run(TICK_S).gripper is None, "not before it runs"
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    rig.plan(deltas(x=0.01))
    assert rig.run(0.1).gripper == 0.1


# --- limits


@pytest.mark.parametrize(
    ("clip", "values", "period_s"),
    [
        ("step", deltas(x=0.06), 1.0),
        ("step", deltas(yaw=0.2), 1.0),
        ("step", deltas(x=0.2, yaw=0.8), 1.0),
        ("speed", deltas(x=0.04), 0.25),
        ("speed", deltas(yaw=0.1), 0.25),
        ("accel", deltas(x=0.015), 0.2),
        ("accel", deltas(yaw=0.04), 0.2),
    ],
)
def test_clipped_steps_are_counted_once(clip: str, values: np.ndarray, period_s: float) -> None:
    rig = Rig()
    rig.plan(values, period_s)
    rig.run(0.3)
    clipped = rig.controller.status(rig.now).clipped
    assert set(clipped) == set(CLIPS)
    assert clipped[clip] == 1
    rig.run(0.3)
    assert rig.controller.status(rig.now).clipped == clipped


def test_an_easy_step_is_not_clipped() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02, yaw=0.05), 1.0)
    rig.run(1.2)
    assert not any(rig.controller.status(rig.now).clipped.values())


def test_box_and_cone_are_reached_but_not_left() -> None:
    rig = Rig()
    for _ in range(24):
        rig.plan(deltas(x=0.025, z=0.025, roll=0.07))
        command = rig.run(0.24)
    np.testing.assert_allclose(command.pose[[0, 2]], [0.70, 0.60], atol=1e-5)
    assert 0.48 < tilt(command.pose[3:]) <= 0.5
    clipped = rig.controller.status(rig.now).clipped
    assert clipped["box"] > 5 and clipped["tilt"] > 5


def test_a_blocked_arm_is_not_pressed_further_than_the_leash() -> None:
    rig = Rig(limits=Limits(leash_m=0.02, leash_rad=0.05))
    rig.follows = False
    for _ in range(10):
        rig.plan(deltas(x=0.05, yaw=0.15))
        command = rig.run(0.24)
    off = [error(c.pose, DOWN) for c in rig.trace if c.pose is not None]
    assert all(metres <= 0.02 + 1e-9 and radians <= 0.05 + 1e-9 for metres, radians in off)
    assert off[-1] == pytest.approx((0.02, 0.05), abs=1e-6)
    assert rig.controller.status(rig.now).clipped["leash"] >= 4
    assert command.mode == "holding" and "does not follow" in command.reason


def test_the_target_is_drawn_to_an_arm_that_was_pushed_a_little() -> None:
    rig = Rig()
    rig.follows = False
    rig.carry(DOWN + np.array([0.0, 0.024, 0.0, 0.0, 0.0, 0.0]))
    for _ in range(4):
        rig.plan(deltas())
        command = rig.run(0.24)
    assert command.pose[1] == pytest.approx(0.024, abs=1e-4)


def test_an_arm_that_was_pushed_away_is_not_followed_by_its_target() -> None:
    rig = Rig()
    rig.plan(deltas())
    rig.follows = False
    rig.carry(DOWN + np.array([0.0, 0.2, 0.0, 0.0, 0.0, 0.0]))
    for _ in range(12):
        rig.plan(deltas())
        command = rig.run(0.24)
    assert (command.mode, command.pose) == ("stopped", None) and "does not follow" in command.reason


def test_an_arm_pushed_out_of_the_box_is_only_asked_inwards() -> None:
    rig = Rig(DOWN + np.array([0.245, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rig.follows = False
    rig.carry(DOWN + np.array([0.265, 0.0, 0.0, 0.0, 0.0, 0.0]))
    for _ in range(4):
        rig.plan(deltas(x=0.02))
        command = rig.run(0.24)
    assert (command.mode, command.pose[0]) == ("running", pytest.approx(0.70, abs=1e-5))


@pytest.mark.parametrize("limit", ["speed_m_s", "accel_m_s2", "step_m", "leash_m"])
def test_a_limit_of_zero_means_no_motion(limit: str) -> None:
    rig = Rig(limits=replace(Limits(), **{limit: 0.0}))
    rig.follows = False
    rig.plan(deltas(x=0.03))
    np.testing.assert_allclose(rig.run(0.5).pose[:3], DOWN[:3], atol=1e-12)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e-160, 1e-13, 1e-9])
@pytest.mark.parametrize("limit", sorted(CEILING))
def test_a_limit_next_to_zero_is_a_limit(limit: str, size: float) -> None:
    rig = Rig(limits=replace(Limits(), **{limit: size}))
    for _ in range(5):
        rig.plan(deltas(x=0.03, roll=0.05, yaw=0.1))
        rig.run(0.1)
    if limit.startswith(("speed", "accel")):
        np.testing.assert_allclose(rig.trace[-1].pose[:3], DOWN[:3], atol=1e-6)


# --- holding


@pytest.mark.parametrize(
    ("values", "period_s", "age_s", "says"),
    [
        (deltas(x=math.nan), 0.25, 0.0, "not finite"),
        (deltas(gripper=math.inf), 0.25, 0.0, "not finite"),
        (np.zeros((2, 6)), 0.25, 0.0, "shape (2, 6) instead of (H, 7)"),
        (np.zeros(7), 0.25, 0.0, "shape (7,)"),
        (np.zeros((0, 7)), 0.25, 0.0, "no steps"),
        (np.zeros((1000, 7)), 0.25, 0.0, "the plan has 1000 steps; it must have 1 to 256"),
        (None, 0.25, 0.0, "plan"),
        ("forward", 0.25, 0.0, "not an array of numbers"),
        (deltas(), 0.0, 0.0, "step period"),
        (deltas(), math.nan, 0.0, "step period"),
        (deltas(), 0.019, 0.0, "step period is 0.019 s; it must be 0.02 to 2.0 s"),
        (deltas(), 600.0, 0.0, "step period is 600.0 s"),
        (deltas(x=100.0), 0.25, 0.0, "step 1 of the plan moves 100 m, more than 3 times 0.075; look at"),
        (deltas(y=1e308, z=-1e308), 0.25, 0.0, "moves"),
        (deltas(yaw=2 * math.pi), 0.25, 0.0, "turns 6.283 rad"),
        (deltas(gripper=-1e9), 0.25, 0.0, "closes the gripper by 1e+09"),
        (np.concatenate([deltas(3), deltas(x=0.3)]), 0.25, 0.0, "step 4 of the plan moves"),
        (deltas(), 0.25, math.nan, "stamp of the plan is not finite"),
        (deltas(), 0.25, -0.06, "0.060 s in the future"),
        (deltas(), 0.25, 1.1, "1.10 s old"),
        (deltas(), 0.25, 0.6, "0.35 s after its last step"),
    ],
)
def test_bad_plans_hold(values: object, period_s: float, age_s: float, says: str) -> None:
    rig = Rig()
    rig.run(1.0)
    rig.plan(deltas(x=0.02), 1.0, age_s=0.6)
    rig.run(0.1)
    assert says in rig.plan(values, period_s, age_s)
    command = rig.run(0.3)
    assert command.mode == "holding"
    assert says in command.reason
    assert rig.speeds(5).max() == 0.0
    assert rig.controller.status(rig.now).refused_plans == 1
    assert rig.plan(deltas(x=0.01)) == ""
    assert rig.run(TICK_S).mode == "running"


def test_a_plan_from_a_time_without_states_is_refused() -> None:
    rig = Rig()
    rig.reports = False
    rig.run(0.3)
    rig.reports = True
    rig.run(TICK_S)
    assert "no arm state is known" in rig.plan(deltas(x=0.01), age_s=0.1)
    assert rig.plan(deltas(x=0.01), age_s=0.0) == ""


def test_an_older_plan_does_not_replace_a_newer_one() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.plan(deltas(x=0.02))
    rig.run(TICK_S)
    assert "older than the one before it" in rig.plan(deltas(x=-0.02), age_s=0.1)
    assert rig.run(TICK_S).mode == "holding"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pose": DOWN * math.nan}, "measured pose is not finite"),
        ({"pose": np.zeros(7)}, "shape (7,) instead of (6)"),
        ({"gripper": math.inf}, "gripper is not finite"),
        ({"stamp_s": math.nan}, "stamp of the arm state is not finite"),
        ({"stamp_s": 200.0}, "in the future; compare the clocks"),
        ({"stamp_s": 99.0}, "old, more than 0.20 s"),
    ],
)
def test_bad_states_hold_until_a_good_one_comes(change: dict, says: str) -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.1)
    good = ArmState(rig.now, rig.pose, 0.0)
    assert says in rig.controller.on_state(replace(good, **change), rig.now)
    rig.reports = False
    command = rig.run(TICK_S)
    assert command.mode == "holding" and says in command.reason
    rig.reports = True
    assert rig.run(TICK_S).mode == "running"
    assert rig.controller.status(rig.now).refused_states == 1


def test_an_arm_that_leans_behind_its_target_is_not_followed_by_it() -> None:
    """An hour of pick and place once turned the tool by 0.4 rad, a thousandth at a time."""
    rig, lean = Rig(), np.array([0.0, 0.0, 0.0, 0.004, -0.003, 0.005])
    for k in range(200):
        assert rig.plan(deltas(x=0.01 if k % 2 else -0.01)) == ""
        rig.follows = False
        for _ in range(12):
            command = rig.run(TICK_S)
            assert command.pose is not None
            rig.pose = command.pose + lean
    assert error(command.pose, np.append(command.pose[:3], DOWN[3:]))[1] < 1e-6
    measured, turn = rig.pose.copy(), deltas(1, yaw=0.05)
    rig.plan(turn, 1.0)
    for _ in range(62):
        command = rig.run(TICK_S)
        assert command.pose is not None
        rig.pose = command.pose + lean
    assert command.pose is not None  # a plan that turns is made from where the arm is
    goal = integrate(np.append(measured, 0.0), turn[0])
    assert error(command.pose, np.append(command.pose[:3], goal[3:6]))[1] < 1e-3


def test_what_the_node_refuses_holds_too() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.1)
    rig.controller.refuse_plan("the plan has the frame id 'camera', not 'base'")
    assert rig.run(TICK_S).reason == "the plan has the frame id 'camera', not 'base'"


def test_without_states_the_arm_brakes_and_goes_on_by_itself_when_they_return() -> None:
    rig = Rig(execute_steps=3)
    rig.plan(deltas(3, x=0.02), 0.5)
    rig.run(0.4)
    rig.reports = False
    assert rig.run(0.2).mode == "running"
    command = rig.run(0.04)
    assert (command.mode, command.reason) == (
        "holding",
        "no arm state for 0.24 s; see whether the arm's driver still runs",
    )
    assert rig.run(0.2).pose is None and rig.speeds(1)[0] < 1e-4, "what rests need not be told so"
    rig.reports = True
    command = rig.run(TICK_S)
    assert command.mode == "running" and command.pose is not None


def test_without_plans_the_arm_comes_to_rest_and_a_new_plan_ends_the_hold() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.01))
    assert rig.run(0.54).mode == "running"
    command = rig.run(0.04)
    assert command.mode == "holding"
    assert command.reason.startswith("plan watchdog: the last plan ended 0.3")
    assert command.pose[0] == pytest.approx(0.46, abs=1e-9)
    rig.plan(deltas(x=0.01))
    assert rig.run(TICK_S).mode == "running"


def test_a_process_that_stood_still_does_not_move_the_arm() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    before = rig.pose.copy()
    rig.now += 1.5
    command = rig.run(TICK_S)
    np.testing.assert_array_equal(command.pose, before)
    assert command.mode == "holding"
    rig.run(TICK_S)
    rig.plan(deltas(x=0.01))
    assert rig.run(0.5).pose[0] == pytest.approx(before[0] + 0.01, abs=1e-6)
    assert rig.controller.status(rig.now).late_ticks == 1


def test_a_clock_that_is_no_number_holds() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    before = rig.run(0.1)
    command = rig.controller.tick(math.nan)
    assert (command.mode, command.reason) == ("holding", "the clock is not finite; restart the controller")
    np.testing.assert_array_equal(command.pose, before.pose)
    assert rig.run(TICK_S).mode == "running"
    rig.controller.stop(rig.now)
    assert rig.controller.tick(math.nan).mode == "stopped"


def test_a_late_tick_goes_on_from_rest() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    before = rig.pose.copy()
    rig.now += 0.1
    np.testing.assert_array_equal(rig.run(TICK_S).pose, before)
    assert rig.controller.status(rig.now).late_ticks == 1
    assert rig.run(0.8).pose[0] == pytest.approx(0.48, abs=1e-4)


def test_a_repeated_tick_changes_nothing() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    first = rig.run(0.1)
    np.testing.assert_array_equal(rig.controller.tick(rig.now).pose, first.pose)
    np.testing.assert_array_equal(rig.controller.tick(rig.now + 0.0009).pose, first.pose)


# --- stopping


def test_stop_freezes_and_latches_and_resume_needs_a_fresh_plan() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.5)
    rig.controller.stop(rig.now)
    frozen = rig.pose.copy()
    assert rig.plan(deltas(x=0.03)) != ""
    command = rig.run(1.1)
    assert command.mode == "stopped" and "call resume" in command.reason
    assert all(np.array_equal(c.pose, frozen) for c in rig.trace[-50:])
    old_s = rig.now - 0.1
    assert rig.controller.resume(rig.now) == "resumed; waiting for a fresh plan"
    command = rig.run(TICK_S)
    assert (command.mode, command.reason) == ("holding", "waiting for a plan")
    fault = rig.controller.on_plan(Plan(old_s, 0.25, deltas(x=0.03)), rig.now)
    assert "before the last start or resume" in fault
    np.testing.assert_array_equal(rig.run(0.1).pose, frozen)
    assert rig.plan(deltas(x=0.01)) == ""
    assert rig.run(0.5).pose[0] == pytest.approx(frozen[0] + 0.01, abs=1e-6)


def test_force_limits() -> None:
    rig = Rig(force_hold_n=15.0, force_stop_n=30.0)
    assert "reports no wrench" in rig.run(TICK_S).reason
    for newton, mode in ((10.0, "running"), (31.0, "stopped"), (0.0, "stopped")):
        rig.wrench = np.array([0.0, newton, 0.0, 0.0, 0.0, 0.0])  # type: ignore[assignment]
        if mode != "stopped":
            rig.plan(deltas(x=0.01))
        assert rig.run(TICK_S).mode == mode
    assert rig.trace[-1].reason == "contact force 31 N is above 30 N; call resume to go on"


@pytest.mark.parametrize(("hold", "index", "size"), [("force_hold_n", 1, 16.0), ("torque_hold_nm", 4, 16.0)])
def test_contact_above_the_hold_limit_brakes_then_stops_and_a_person_goes_on(
    hold: str, index: int, size: float
) -> None:
    rig = Rig(**{hold: 15.0})
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.wrench[index] = size  # type: ignore[index]
    command = rig.run(TICK_S)
    assert command.mode == "holding" and "is above 15 N" in command.reason
    rig.wrench[index] = 0.0  # type: ignore[index]
    assert rig.run(TICK_S).reason == command.reason, "a short touch counts as well"
    assert 0.0 < rig.speeds(1)[0] < 0.05
    command = rig.run(0.5)
    assert command.mode == "stopped" and "16 N" in command.reason and command.reason.endswith("call resume to go on")
    rig.wrench[index] = size  # type: ignore[index]
    rig.run(1.0)
    assert "is above 15 N" in rig.controller.resume(rig.now), "not while the contact lasts"
    rig.wrench[index] = 0.0  # type: ignore[index]
    rig.run(0.4)
    assert rig.controller.resume(rig.now).startswith("resumed")


def test_torque_is_looked_at_where_it_has_a_limit_and_stops() -> None:
    for config, mode in (({"torque_stop_nm": 30.0}, "stopped"), ({"force_stop_n": 65.0}, "running")):
        rig = Rig(**config)
        rig.wrench = np.array([1.0, 0.0, 0.0, 0.0, 40.0, 45.0])  # type: ignore[assignment]
        rig.run(TICK_S)
        rig.plan(deltas(x=0.01))
        assert rig.run(TICK_S).mode == mode
    assert "limit of force or torque is set, but the arm reports no wrench" in Rig(torque_hold_nm=1.0).trace[-1].reason


# --- an input in trouble


@pytest.mark.parametrize("limits", [{}, {"force_hold_n": 15.0}])
def test_a_wrench_that_is_no_number_holds_until_a_good_one_comes(limits: dict) -> None:
    rig = Rig(**limits)
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    rig.run(TICK_S)
    rig.plan(deltas(x=0.02), 1.0)
    assert rig.run(0.1).mode == "running"
    rig.wrench = np.full(6, math.nan)  # type: ignore[assignment]
    assert rig.run(TICK_S).reason == "the measured wrench is not finite; see what sends it"
    rig.wrench = None
    rig.run(0.2)
    assert {c.reason for c in rig.trace[-10:]} == {"the measured wrench is not finite; see what sends it"}
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    assert rig.run(TICK_S).mode == "running"


def test_a_gripper_that_is_no_number_holds_while_good_poses_come() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.1)
    rig.gripper = math.nan
    rig.run(0.3)
    assert {c.reason for c in rig.trace[-15:]} == {"the measured gripper is not finite; see what sends it"}
    rig.gripper = 0.0
    assert rig.run(TICK_S).mode == "running"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_plan_starts_from_a_gripper_that_is_no_number(value: float) -> None:
    rig = Rig(start=False)
    rig.gripper = value
    rig.controller.start(rig.now)
    assert rig.run(0.1).pose is None, "nothing is known of the gripper yet"
    rig.gripper = 0.5
    rig.run(0.1)
    rig.gripper = value
    rig.run(0.1)
    assert rig.plan(deltas(gripper=0.3), 0.5, age_s=0.05) == ""
    rig.gripper = 0.5
    assert rig.run(2 * TICK_S).gripper == pytest.approx(0.8)


@pytest.mark.parametrize(("pause_s", "mode"), [(1.5, "running"), (2.5, "stopped"), (60.0, "stopped")])
def test_a_controller_that_was_suspended_for_long_waits_for_a_person(pause_s: float, mode: str) -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.3)
    rig.now += pause_s
    rig.controller.on_state(ArmState(rig.now, rig.pose, rig.gripper), rig.now)
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(2 * TICK_S)
    assert rig.trace[-1].mode == mode
    assert (mode == "running") or not {c.mode for c in rig.trace[-2:]} & {"running"}


def test_patience_counts_from_the_call() -> None:
    rig = Rig(start=False)
    rig.controller.start(rig.now)
    rig.now += 10.0
    rig.plan(deltas(x=0.02), 1.0)
    assert rig.run(2 * TICK_S).mode == "stopped"


def test_pauses_and_holds_add_up() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.3)
    rig.now += 1.5
    rig.controller.trouble("voices", "somebody else speaks")
    rig.run(0.7)
    rig.controller.trouble("voices", "")
    rig.plan(deltas(x=0.02), 1.0)
    assert rig.run(0.1).mode == "stopped"


SOURCES = ["pose", "gripper", "wrench", "joints", "robot", "voices", "launcher", "heartbeat"]


@pytest.mark.parametrize("source", SOURCES[1:])
def test_a_trouble_holds_until_the_same_source_is_cleared(source: str) -> None:
    rig = Rig()
    rig.plan(deltas(x=0.02), 1.0)
    rig.run(0.1)
    rig.controller.trouble(source, "cause")
    rig.run(0.1)
    for other in SOURCES:
        if other != source:
            rig.controller.trouble(other, "")
    command = rig.run(0.1)
    assert (command.mode, command.reason) == ("holding", "cause")
    rig.controller.trouble(source, "")
    assert rig.run(TICK_S).mode == "running"


def test_the_first_of_two_troubles_is_told_first() -> None:
    rig = Rig()
    rig.controller.trouble("voices", "first")
    rig.controller.trouble("gripper", "second")
    rig.controller.trouble("voices", "first, again")
    assert rig.run(TICK_S).reason == "first, again"
    rig.controller.trouble("voices", "")
    assert rig.run(TICK_S).reason == "second"


def test_a_trouble_that_latches_brakes_and_stops_even_if_it_is_gone_by_then() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.trouble("launcher", "whoever started this stack is gone", latch=True)
    command = rig.run(TICK_S)
    assert command.mode == "holding" and "gone" in command.reason
    rig.controller.trouble("launcher", "")
    command = rig.run(0.5)
    assert command.mode == "stopped" and "is gone; call resume" in command.reason
    assert rig.speeds(10).max() == 0.0
    rig.run(1.0)
    rig.controller.trouble("launcher", "it is gone again", latch=True)
    assert rig.controller.resume(rig.now) == "not resumed: it is gone again"
    rig.controller.trouble("launcher", "")
    rig.run(0.4)
    assert rig.controller.resume(rig.now).startswith("resumed")


def test_a_trouble_that_latches_refuses_the_start() -> None:
    rig = Rig(start=False)
    rig.controller.trouble("launcher", "it is gone", latch=True)
    assert rig.controller.start(rig.now) == "not started: it is gone"
    assert rig.run(0.1).mode == "idle"
    rig.controller.trouble("launcher", "")
    assert rig.controller.start(rig.now).startswith("started run")


# --- holds that last


def test_a_hold_that_lasts_becomes_a_stop() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.trouble("gripper", "the gripper is silent")
    assert rig.run(2.0).mode == "holding"
    command = rig.run(0.1)
    assert (command.mode, command.reason) == ("stopped", "the gripper is silent; call resume to go on")
    rig.controller.trouble("gripper", "")
    rig.plan(deltas(x=0.01))
    assert rig.run(1.0).mode == "stopped"


def test_holds_of_different_causes_are_one_hold() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.01), 0.1)
    rig.run(0.2)
    for k in range(30):
        rig.controller.trouble("voices" if k % 2 else "wrench", "")
        rig.controller.trouble("wrench" if k % 2 else "voices", f"cause {k}")
        command = rig.run(0.1)
    assert command.mode == "stopped"


def test_the_first_plan_may_take_longer() -> None:
    rig = Rig()
    assert rig.run(9.9).mode == "holding"
    command = rig.run(0.2)
    assert (command.mode, command.reason) == ("stopped", "waiting for a plan; call resume to go on")
    rig.run(1.0)
    rig.controller.resume(rig.now)
    assert rig.run(9.9).mode == "holding"
    rig.plan(deltas(x=0.01))
    assert rig.run(0.1).mode == "running"
    assert rig.run(2.7).mode == "stopped", "once it ran, it is not waited for so long again"


def test_a_hold_becomes_a_stop_only_at_rest() -> None:
    rig = Rig(limits=replace(Limits(), accel_m_s2=0.005))
    for _ in range(20):
        rig.plan(deltas(x=0.03), 0.25)
        rig.run(0.24)
    rig.controller.trouble("wrench", "cause")
    rig.run(2.1)
    assert rig.trace[-1].mode == "holding" and rig.speeds(1)[0] > 0.0
    assert rig.run(4.0).mode == "stopped"


# --- runs


def test_a_run_has_an_id_of_its_own_from_start_to_end() -> None:
    rig = Rig()
    first = rig.controller.run
    assert len(first) == 8 and int(first, 16) >= 0
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.stop(rig.now)
    rig.run(1.1)
    rig.controller.resume(rig.now)
    rig.run(TICK_S)
    assert rig.controller.run == first, "a stop does not end it"
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.end_run("the last goal was reached")
    command = rig.run(TICK_S)
    assert (command.mode, command.reason) == ("holding", "the last goal was reached")
    assert command.pose is not None and rig.controller.run == first
    assert rig.plan(deltas(x=0.03)) == f"run {first} has ended; call start"
    assert "still coming to rest" in rig.controller.start(rig.now)
    command = rig.run(0.5)
    assert (command.mode, command.reason) == ("idle", "the last goal was reached; call start")
    assert command.pose is None and rig.controller.run != first
    assert rig.controller.resume(rig.now) == "not stopped"
    assert rig.plan(deltas(x=0.03)) == "not started"
    assert rig.run(0.5).mode == "idle"
    second = rig.controller.run
    assert rig.controller.start(rig.now) == f"started run {second}"
    assert rig.run(TICK_S).mode == "holding"


def test_a_run_that_ends_while_it_is_stopped_needs_a_start() -> None:
    rig = Rig()
    first = rig.controller.run
    rig.controller.stop(rig.now)
    rig.controller.end_run("the planner was started anew")
    assert rig.run(1.1).mode == "stopped"
    assert rig.controller.resume(rig.now) == "stop cleared; waiting for start"
    assert rig.controller.run != first
    command = rig.run(0.1)
    assert (command.mode, command.pose) == ("idle", None)


def test_a_stop_while_the_run_ends_keeps_both() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.end_run("the last goal was reached")
    rig.run(TICK_S)
    rig.controller.stop(rig.now)
    frozen = rig.pose.copy()
    assert rig.run(1.1).mode == "stopped"
    np.testing.assert_array_equal(rig.pose, frozen)
    assert rig.controller.resume(rig.now) == "stop cleared; waiting for start"


def test_ending_what_is_no_run_changes_nothing() -> None:
    rig = Rig(start=False)
    before = rig.controller.run
    rig.controller.end_run("done")
    rig.controller.stop(rig.now)
    rig.controller.end_run("done")
    rig.run(1.1)
    assert rig.controller.resume(rig.now) == "stop cleared; waiting for start"
    assert rig.controller.run == before


# --- stop wins


@pytest.mark.parametrize("order", list(itertools.permutations(("start", "resume", "stop"))))
@pytest.mark.parametrize("mode", ["idle", "holding", "running", "stopped", "fault"])
def test_a_stop_wins_in_every_order_of_what_is_pending(order: tuple[str, ...], mode: str) -> None:
    """Calls that waited while the process was paused, or that clients send back to back, up to 0.6 s apart."""
    for seed in range(50):
        rng, rig = np.random.default_rng(seed), Rig(start=mode != "idle")
        rig.run(TICK_S)
        if mode == "running":
            rig.plan(deltas(x=0.03), 1.0)
            rig.run(0.1)
        if mode == "fault":
            rig.controller.on_robot(RobotHealth(rig.now, "REFLEX"), rig.now)
            rig.controller.on_robot(RobotHealth(rig.now + 0.001, "MOVE"), rig.now + 0.001)
        if mode == "stopped":
            rig.controller.stop(rig.now)
        if seed % 2:
            rig.run(1.2)
        for call in order:
            getattr(rig.controller, call)(rig.now)
            if seed % 3 == 0:
                rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
                rig.run(rng.uniform(0.02, 0.3))
        for _ in range(10):
            rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
            rig.plan(deltas(x=0.03))
            rig.run(0.1)
        assert rig.trace[-1].mode == "stopped", (order, seed)


def test_resume_waits_after_a_stop_and_says_so() -> None:
    rig = Rig()
    rig.controller.stop(rig.now)
    rig.run(0.5)
    said = rig.controller.resume(rig.now)
    assert said == "not resumed: stopped 0.5 s ago; call resume once, 5 s from now or later"
    rig.run(5.1)
    assert rig.controller.resume(rig.now).startswith("resumed")


def test_a_stop_soon_after_a_resume_says_that_nobody_wants_that_one() -> None:
    rig = Rig()
    rig.controller.stop(rig.now)
    rig.run(1.1)
    assert rig.controller.resume(rig.now).startswith("resumed")
    rig.run(2.0)
    rig.controller.stop(rig.now)
    rig.run(3.0)
    said = rig.controller.resume(rig.now)
    assert said == "not resumed: stopped 3.0 s ago, 2.0 s after a resume; call resume once, 5 s from now or later"
    rig.run(5.1)
    assert rig.controller.resume(rig.now).startswith("resumed")
    rig.run(5.1)
    rig.controller.stop(rig.now)
    rig.run(1.1)
    assert rig.controller.resume(rig.now).startswith("resumed"), "what was long ago is forgotten"


def test_a_touch_between_two_ticks_is_a_touch() -> None:
    for limit, size, mode in (("force_hold_n", 16.0, "holding"), ("force_stop_n", 16.0, "stopped")):
        rig = Rig(**{limit: 15.0})
        rig.wrench = np.zeros(6)  # type: ignore[assignment]
        rig.plan(deltas(x=0.03), 1.0)
        assert rig.run(0.4).mode == "running"
        for newton in (size, 0.0):
            rig.controller.on_wrench(rig.now + 0.001, np.array([0.0, 0.0, newton, 0.0, 0.0, 0.0]), rig.now + 0.001)
        assert rig.run(TICK_S).mode == mode
        assert rig.run(0.5).mode == "stopped" and "16 N is above 15 N" in rig.trace[-1].reason


def test_contact_beside_a_number_that_is_not_finite_stops() -> None:
    rig = Rig(force_stop_n=30.0)
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    rig.plan(deltas(x=0.03), 1.0)
    assert rig.run(0.4).mode == "running"
    rig.controller.on_wrench(rig.now, np.array([0.0, 0.0, 100.0, 0.0, 0.0, math.nan]), rig.now)
    assert rig.run(0.5).mode == "stopped" and "100 N is above 30 N" in rig.trace[-1].reason


def test_contact_needs_no_pose() -> None:
    rig = Rig(force_stop_n=30.0)
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.reports = False
    rig.run(0.1)
    rig.controller.on_wrench(rig.now, np.array([0.0, 0.0, 31.0, 0.0, 0.0, 0.0]), rig.now)
    assert rig.controller.status(rig.now).mode == "stopped"


def test_a_wrench_that_falls_silent_holds_whether_it_is_looked_at_or_not() -> None:
    for config in ({}, {"force_hold_n": 15.0}):
        rig = Rig(**config)
        rig.wrench = np.zeros(6)  # type: ignore[assignment]
        rig.plan(deltas(x=0.03), 1.0)
        assert rig.run(0.4).mode == "running"
        rig.wrench = None
        command = rig.run(0.3)
        assert command.mode == "holding" and command.reason.startswith("no wrench for 0.")
        rig.wrench = np.zeros(6)  # type: ignore[assignment]
        assert rig.run(TICK_S).mode == "running"


#: Slower than any finger, and up to the rate of a loop without a pause.
RATES_HZ = [0.25, 0.26, 0.3, 0.33, 0.5, 0.7, 0.9, 0.99, 1.0, 1.01, 1.3, 2.0, 3.0, 3.4, 5.0, 8.0, 20.0]


RESUMED = "stop cleared; waiting for start"


class Calls:
    """Calls to a controller that is idle, at times of one's choice; it is ticked meanwhile."""

    def __init__(self) -> None:
        self.controller, self.now = Controller(ControllerConfig()), 0.0

    def until(self, at_s: float) -> None:
        while self.now < at_s:
            self.now = min(self.now + 0.05, at_s)
            self.controller.tick(self.now)

    def stop(self, at_s: float) -> None:
        self.until(at_s)
        self.controller.stop(at_s)

    def resume(self, at_s: float, unless: str = "") -> str:
        self.until(at_s)
        return self.controller.resume(at_s, unless)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("hz", RATES_HZ)
def test_a_client_that_repeated_resume_before_a_stop_never_undoes_it(hz: float, share: float) -> None:
    """Whichever part of its period has passed when the stop comes, and however often there is one."""
    calls, now = Calls(), 0.0
    for _ in range(max(3, round(2 * hz))):
        now += 1 / hz
        assert calls.resume(now) == "not stopped"
    stopped_s = now + share / hz
    calls.stop(stopped_s)
    while now < stopped_s + 60.0:
        now += 1 / hz
        said = calls.resume(now)
        assert said.startswith("not resumed"), now - stopped_s
    assert "again and again" in said and "call resume once, 5 s after its last call or later" in said
    assert calls.resume(now + 5.01) == RESUMED, "a person, when the program has been ended"


@pytest.mark.parametrize("share", [0.01, 0.31, 0.61, 0.97])
@pytest.mark.parametrize("hz", [*RATES_HZ, 100.0])
def test_a_client_that_resumes_whatever_is_stopped_undoes_no_stop_twice(hz: float, share: float) -> None:
    """It looks at the state, and calls nothing else. Who calls each second or faster undoes no stop at all.

    A slower one that comes later than a second after a stop is taken for a person; the next stop tells that it is none.
    """
    calls, now, slow = Calls(), 1.0, share / hz >= RESUME_QUIET_S
    for number in range(3):
        calls.stop(now)
        for k in range(int(20 * hz) + 1):
            said = calls.resume(now + (k + share) / hz)
            if number == 0 and slow:
                assert k == 0 and said == RESUMED
                break
            assert said.startswith("not resumed"), (number, k)
        now += (k + share) / hz + 0.5
    assert calls.resume(now + RESUME_SILENCE_S) == RESUMED, "a person, when the program has been ended"


@pytest.mark.parametrize("slips", [1, 2])
def test_a_person_who_calls_resume_of_an_arm_that_only_holds_may_resume_it_once_it_is_stopped(slips: int) -> None:
    calls = Calls()
    for run in range(5):  # the slips of one stop are forgotten at the next
        now = 1.0 + 7.0 * run
        for _ in range(slips):
            assert calls.resume(now) == "not stopped"
        calls.stop(now)
        assert calls.resume(now + 1.2) == RESUMED


@pytest.mark.parametrize(
    ("at", "resumed_by"),
    [
        ((1.01,), 1.01),
        ((0.5, 1.2), None),  # nobody has looked so soon
        ((0.99, 5.98), None),
        ((0.99, 6.0), 6.0),
        ((0.3, 0.7, 1.2, 5.6), None),  # nobody waits
        ((0.3, 0.7, 1.2, 6.3), 6.3),
        ((0.9, 1.1), None),  # one call that is sent twice
    ],
)
def test_who_was_too_early_waits(at: tuple[float, ...], resumed_by: float | None) -> None:
    calls = Calls()
    calls.stop(1.0)
    done = [at_s for at_s in at if calls.resume(1.0 + at_s) == RESUMED]
    assert done == ([] if resumed_by is None else [resumed_by])


def test_while_the_controller_is_held_up_no_time_passes_for_who_waits() -> None:
    """By a client that vanished, a lock, a suspend: a resume that was asked for with the stop is served late then."""
    controller = Controller(ControllerConfig())
    controller.tick(1.0)
    controller.stop(1.0)
    controller.tick(4.0)
    assert controller.resume(4.0).startswith("not resumed: stopped 0.3 s ago")


def test_what_the_caller_refuses_counts_as_a_call() -> None:
    """A program that repeats resume is not forgotten while something else keeps it from succeeding."""
    calls = Calls()
    for k in range(3):
        assert calls.resume(1.0 + 0.1 * k) == "not stopped"
    calls.stop(1.5)
    for k in range(10):
        assert calls.resume(2.0 + k, "somebody else speaks").startswith("not resumed")
    assert calls.resume(12.0).startswith("not resumed: resume is called again and again")
    assert calls.resume(18.0, "somebody else speaks") == "not resumed: somebody else speaks"
    assert calls.controller.start(18.5, "somebody else speaks").startswith("not started: stopped")
    assert calls.resume(19.0) == RESUMED
    assert calls.controller.start(19.0, "somebody else speaks") == "not started: somebody else speaks"


# --- faults


def test_a_measured_pose_that_jumps_is_a_fault_and_is_never_followed() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.follows, there = False, rig.pose.copy()
    rig.pose[1] += 0.2
    command = rig.run(TICK_S)
    assert command.mode == "fault" and "the measured pose jumped by 0.20 m in 0.020 s" in command.reason
    assert rig.run(1.1).pose is None
    assert np.linalg.norm([c.pose[:3] for c in rig.trace if c.pose is not None][-1] - there[:3]) < 0.005, (
        "it brakes where it was"
    )
    assert rig.speeds(1)[0] < 1e-4
    assert rig.plan(deltas(x=0.03)).startswith("the measured pose jumped")
    assert "not resumed: the arm is measured 0.20 m" in rig.controller.resume(rig.now)
    assert rig.run(0.1).mode == "fault"
    rig.pose = there
    rig.run(0.4)
    assert rig.controller.resume(rig.now) == "resumed; waiting for a fresh plan"
    rig.follows = True
    rig.plan(deltas(x=0.01))
    assert rig.run(0.3).mode == "running"


@pytest.mark.parametrize("metres", [0.1, 0.2, 0.28])
def test_a_jump_of_any_size_is_believed_while_nothing_moves_and_keeps_resume_away(metres: float) -> None:
    rig = Rig(start=False)
    rig.run(0.1)
    rig.pose[1] += metres  # before the start the arm may be anywhere
    rig.run(0.1)
    rig.controller.start(rig.now)
    np.testing.assert_allclose(error(rig.run(TICK_S).pose, rig.pose), 0.0, atol=1e-9)
    rig.follows = False
    rig.pose[1] -= metres
    assert rig.run(1.1).mode == "fault"
    assert f"{metres:.2f} m" in rig.controller.resume(rig.now)


def test_a_stop_during_a_fault_freezes_and_keeps_the_faults_reason() -> None:
    rig = Rig()
    rig.follows = False
    rig.pose[0] += 0.2
    rig.run(TICK_S)
    assert "jumped" in rig.controller.stop(rig.now)
    command = rig.run(0.1)
    assert command.mode == "stopped" and "jumped" in command.reason


def test_a_robot_that_does_not_follow_gets_no_target_and_a_new_one_where_it_then_is() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.3)
    rig.controller.on_robot(RobotHealth(rig.now, "USER_STOPPED"), rig.now)
    command = rig.run(TICK_S)
    assert command.mode == "fault" and (command.pose, command.gripper) == (None, None)
    rig.run(1.0)
    assert "mode USER_STOPPED" in rig.controller.resume(rig.now), "not while the button is pressed"
    rig.carry(DOWN + np.array([0.0, 0.2, 0.1, 0.0, 0.0, 0.0]))
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    assert rig.run(TICK_S).pose is None
    assert rig.controller.resume(rig.now).startswith("resumed")
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    command = rig.run(TICK_S)
    np.testing.assert_allclose(error(command.pose, rig.pose), 0.0, atol=1e-9)
    assert (command.mode, command.reason) == ("holding", "waiting for a plan")
    assert rig.controller.status(rig.now).robot_mode == "MOVE"


@pytest.mark.parametrize("mode", ["GUIDING", "IDLE"])
def test_a_robot_that_nobody_moves_holds_without_a_target_and_this_ends_by_itself(mode: str) -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.controller.on_robot(RobotHealth(rig.now, mode), rig.now)
    command = rig.run(TICK_S)
    assert (command.mode, command.pose) == ("holding", None) and f"in mode {mode}" in command.reason
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    assert rig.run(TICK_S).mode == "running"


@pytest.mark.parametrize("mode", ["OTHER", "IDLE", "GUIDING", "REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY"])
def test_who_makes_the_robot_follow_does_not_set_it_off(mode: str) -> None:
    """Neither a start nor a resume from before counts."""
    rig = Rig(start=False)
    rig.run(0.1)
    rig.controller.on_robot(RobotHealth(rig.now, mode), rig.now)
    assert rig.controller.start(rig.now).startswith(f"not started: the robot is in mode {mode}")
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    assert rig.controller.start(rig.now).startswith("started")
    rig.controller.stop(rig.now)
    rig.run(1.5)
    rig.controller.on_robot(RobotHealth(rig.now, mode), rig.now)
    assert rig.controller.resume(rig.now).startswith(f"not resumed: the robot is in mode {mode}")
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    assert rig.run(0.5).mode in ("stopped", "fault")


def test_joints_and_heartbeats_hold() -> None:
    rig = Rig(robot="fr3", heartbeat_s=0.5)
    rig.plan(deltas(x=0.03), 1.0)
    rig.controller.on_joints(rig.now, [0.0, 0.2, 0.0, -3.0, 0.0, 2.6, 0.8], rig.now)
    assert rig.run(TICK_S).reason == "joint 4 is 0.04 rad from its end; move it away by hand"
    rig.controller.on_joints(rig.now, [0.0, 0.2, 0.0, -2.4, 0.0, 2.6, 0.8], rig.now)
    rig.controller.on_heartbeat("encoder", rig.now)
    assert rig.run(TICK_S).mode == "running"
    for _ in range(28):
        rig.controller.on_joints(rig.now, [0.0, 0.2, 0.0, -2.4, 0.0, 2.6, 0.8], rig.now)
        rig.run(TICK_S)
    assert rig.trace[-1].reason.startswith("nothing was heard of the encoder for 0.")
    status = rig.controller.status(rig.now)
    assert status.joint_margin_rad == pytest.approx(0.6421) and status.condition is not None


@pytest.mark.parametrize("lasts", [1, 10])
def test_a_clock_fault_brakes_within_the_limits_and_forgets_the_stamps(lasts: int) -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    assert rig.speeds(1)[0] > 0.02
    for _ in range(lasts):
        rig.controller.trouble("clock", "the clock was set back by 10.00 s")
        rig.reports = False
        command = rig.run(TICK_S)
        assert (command.mode, command.reason) == ("holding", "the clock was set back by 10.00 s")
        rig.controller.trouble("clock", "")
    assert rig.speeds(lasts)[-1] < rig.speeds(lasts + 1)[0]
    assert rig.run(0.3).reason == "the clock was set back by 10.00 s", "also when no state comes"
    assert rig.speeds(1)[0] < 1e-4
    rig.reports = True
    assert rig.run(0.1).reason == "the clock was set back by 10.00 s", "until there is a plan from after it"
    assert "before the clock was set" in rig.plan(deltas(x=0.01), age_s=0.6)
    assert rig.plan(deltas(x=0.01)) == ""
    assert rig.run(TICK_S).mode == "running"
    assert rig.controller.status(rig.now).clock_faults == lasts


#: By how much a clock goes on in each tick, from the fault on.
CLOCK_FAULTS = {
    "set back": (False, [-10.0]),
    "set forward": (False, [10.0]),
    "set forward by little": (False, [0.15]),
    "set again and again": (False, [-10.0, 0.02, 0.02, 10.0, 0.02, -3.0]),
    "simulated, back": (True, [-10.0]),
    "simulated, back by little": (True, [-0.01]),
    "simulated, forward": (True, [10.0]),
    "simulated, stands still for a moment": (True, [0.0] * 4),
    "simulated, stands still": (True, [0.0] * 40),
}


@pytest.mark.parametrize("late_s", [0.0, 0.1])
@pytest.mark.parametrize("kind", CLOCK_FAULTS)
def test_after_a_fault_of_the_clock_the_arm_comes_to_rest_before_it_goes_on(kind: str, late_s: float) -> None:
    """However soon there is a plan from after it: here with each tick."""
    simulated, faulty = CLOCK_FAULTS[kind]
    rig, clock, ros_s = Rig(), StampClock(simulated), 50.0

    def tick(goes_on_s: float = TICK_S) -> Command:
        nonlocal ros_s
        ros_s += goes_on_s
        rig.controller.trouble("clock", clock.observe(ros_s, rig.now + TICK_S))
        rig.plan(deltas(x=0.03, yaw=0.1), 0.5, age_s=late_s)
        return rig.run(TICK_S)

    for _ in range(30):
        tick()
    assert rig.trace[-1].mode == "running" and rig.speeds(1)[0] > 0.03
    began = len(rig.trace)
    for goes_on_s in faulty:
        tick(goes_on_s)
    for _ in range(60):
        tick()
    modes = [command.mode for command in rig.trace]
    held = modes.index("holding", began)
    assert held - began <= 3, "at once; that a clock stands still takes a moment to see"
    again = modes.index("running", held)
    np.testing.assert_array_equal(rig.trace[again - 1].pose, rig.trace[again - 2].pose)
    assert all("clock" in command.reason for command in rig.trace[held:again] if "pose" not in command.reason)
    assert again - held <= max(30, len(faulty) + 25), "and then it goes on"
    assert modes[-1] == "running" and rig.speeds(1)[0] > 0.03


def test_resume_in_a_fault_does_not_spare_the_rest_after_a_fault_of_the_clock() -> None:
    rig = Rig(limits=Limits(accel_m_s2=0.02))
    for _ in range(150):
        rig.plan(deltas(x=0.03), 0.3)
        rig.run(TICK_S)
    rig.pose[1] += 0.4
    assert rig.run(TICK_S).mode == "fault"
    rig.controller.trouble("clock", "the clock was set back by 10.00 s")
    rig.controller.trouble("clock", "")
    rig.run(1.1)
    assert rig.speeds(1)[0] > 0.003, "it still brakes"
    assert "resumed" in rig.controller.resume(rig.now)
    while rig.speeds(1)[0] > 0.0:
        rig.plan(deltas(x=0.03), 0.3)
        assert rig.run(TICK_S).mode == "holding"


def test_a_pose_that_jumps_while_the_clock_is_set_is_a_fault_all_the_same() -> None:
    rig = Rig()
    rig.controller.trouble("clock", "the clock was set back by 10.00 s")
    rig.controller.trouble("clock", "")
    rig.follows = False
    rig.pose[1] += 0.4
    assert "jumped by 0.40 m" in rig.run(TICK_S).reason


def test_a_robot_error_outlives_a_fault_of_the_clock() -> None:
    rig = Rig()
    rig.controller.on_robot(RobotHealth(rig.now, "REFLEX"), rig.now)
    rig.run(1.1)
    rig.controller.trouble("clock", "the clock was set")
    rig.controller.trouble("clock", "")
    assert "mode REFLEX" in rig.controller.resume(rig.now)


def test_an_old_report_of_an_error_is_a_fault_that_only_a_fresh_one_clears() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    assert "REFLEX" in rig.controller.on_robot(RobotHealth(rig.now - 5.0, "REFLEX"), rig.now)
    assert rig.run(1.1).mode == "fault"
    rig.controller.on_robot(RobotHealth(rig.now - 5.0, "MOVE"), rig.now)
    assert "REFLEX" in rig.controller.resume(rig.now)
    rig.controller.on_robot(RobotHealth(rig.now, "MOVE"), rig.now)
    rig.run(0.4)
    assert rig.controller.resume(rig.now).startswith("resumed")


def test_a_robot_in_error_is_not_started() -> None:
    rig = Rig(start=False)
    rig.controller.on_robot(RobotHealth(rig.now, "REFLEX"), rig.now)
    assert rig.controller.start(rig.now).startswith("not started: the robot is in mode REFLEX")


def test_a_stale_plan_stays_refused_when_it_comes_again() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.plan(deltas(x=0.02))
    rig.run(TICK_S)
    stale = Plan(rig.now - 0.1, 0.25, deltas(x=-0.02))
    for _ in range(3):
        assert "older than the one before it" in rig.controller.on_plan(stale, rig.now)
        assert rig.run(TICK_S).mode == "holding"


def test_no_plan_is_executed_unattended_for_longer_than_the_horizon() -> None:
    rig = Rig(execute_steps=150)
    assert rig.plan(deltas(12, x=0.01), 0.25) == ""
    assert "13 steps of 0.25 s would be executed unattended, longer than 3.0 s" in rig.plan(deltas(13, x=0.01), 0.25)
    assert Rig().plan(deltas(256, x=0.01), 2.0) == "", "one step is executed, whatever the plan's length"


# --- bookkeeping


def test_status() -> None:
    rig = Rig()
    status = rig.controller.status(rig.now + 0.01)
    assert (status.mode, status.reason, status.plan_age_s) == ("holding", "waiting for a plan", None)
    assert status.state_age_s == pytest.approx(0.01)
    rig.run(TICK_S)
    rig.plan(deltas(x=0.01), age_s=0.02)
    rig.run(TICK_S)
    status = rig.controller.status(rig.now)
    assert (status.mode, status.plans, status.refused_plans, status.refused_states) == ("running", 1, 0, 0)
    assert status.plan_age_s == pytest.approx(0.04)


@pytest.mark.parametrize(
    "bad",
    [
        {"rate_hz": 10.0},
        {"rate_hz": math.nan},
        {"execute_steps": 0},
        {"execute_steps": 151},
        {"plan_max_age_s": 2.1},
        {"plan_max_age_s": 0.0},
        {"force_stop_n": -1.0},
        {"force_hold_n": math.nan},
        {"force_hold_n": 1e300},
        {"force_stop_n": 65.1},
        {"torque_stop_nm": 55.1},
        {"torque_hold_nm": math.inf},
        {"force_hold_n": 31.0, "force_stop_n": 30.0},
        {"torque_hold_nm": 31.0, "torque_stop_nm": 30.0},
    ],
)
def test_configuration_out_of_range(bad: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        ControllerConfig(**bad)


def test_the_core_needs_no_ros() -> None:
    code = "import sys, wm_controller.controller, wm_controller.monitor; sys.exit('rclpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the clock, and what it makes of plans


def test_a_plan_that_is_refused_because_the_clock_was_set_does_not_hide_that_it_was() -> None:
    """The arm rests already, so that the first reason is gone before anybody was told."""
    rig = Rig()
    rig.plan(deltas(x=0.01))
    assert rig.run(2.0).mode == "holding"
    rig.controller.trouble("clock", "the clock was set back by 5.0 s")
    rig.controller.trouble("clock", "")
    assert "in the future" in rig.plan(deltas(x=0.01), age_s=-4.8)
    rig.run(TICK_S)
    command = rig.run(0.2)
    assert command.mode == "holding" and command.reason == "the clock was set back by 5.0 s"
    rig.plan(deltas(x=0.01))
    assert rig.run(0.1).mode == "running"


# --- an arm that has left its target


@pytest.mark.parametrize("fault", ["clock", "silence"])
@pytest.mark.parametrize("resumed", [True, False], ids=["after resume", "after a short hold"])
def test_an_arm_that_was_moved_meanwhile_is_not_pulled_back(fault: str, resumed: bool) -> None:
    """Nobody saw it move: after a fault of the clock no pose from before counts, and a silent arm tells nothing."""
    rig = Rig()
    rig.plan(deltas(x=0.01))
    rig.run(0.2)
    if resumed:
        rig.controller.stop(rig.now)
        rig.run(1.2)
    if resumed:
        assert rig.controller.resume(rig.now).startswith("resumed")
    rig.reports = False
    if fault == "clock":
        rig.controller.trouble("clock", "the clock was set")
    rig.run(0.4)
    rig.controller.trouble("clock", "")
    rig.pose = rig.pose + np.array([0.0, 0.3, 0.0, 0.0, 0.0, 0.0])
    rig.reports, rig.follows = True, False
    for _ in range(5):
        rig.run(TICK_S)
        rig.plan(deltas(x=0.01))
        command = rig.run(0.1)
        assert (command.mode, command.pose) == ("holding", None) and "the arm does not follow" in command.reason


FAR = np.array([0.0, 0.3, 0.1, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("silent", [True, False], ids=["switched off meanwhile", "heard all the time"])
@pytest.mark.parametrize("how", ["stop", "fault", "contact", "end while stopped"])
def test_an_arm_that_was_moved_while_stopped_is_not_pulled_back(how: str, silent: bool) -> None:
    """Its driver reports no mode, and may be switched off and on again at any moment."""
    rig = Rig(force_hold_n=10.0)
    rig.wrench = np.zeros(6)  # type: ignore[assignment]
    rig.plan(deltas(x=0.02))
    rig.run(0.2)
    if how == "fault":
        rig.controller._fault("a fault", rig.now)
    elif how == "contact":
        rig.wrench[0] = 12.0
    else:
        rig.controller.stop(rig.now)
    if how.startswith("end"):
        rig.controller.end_run("done")
    rig.run(0.4)
    rig.wrench[0] = 0.0
    assert rig.run(0.5).pose is not None, "an arm that stays where it is held is told so"
    held = rig.pose.copy()
    rig.follows, rig.reports = False, not silent
    if silent:
        assert rig.run(0.3).pose is None
        rig.pose = held + FAR
    else:
        rig.carry(held + FAR)
    rig.reports, before = True, len(rig.trace)
    rig.run(5.0)
    assert all(c.pose is None for c in rig.trace[before:])
    if how != "end while stopped":
        assert "not resumed: the arm is measured 0.32 m" in rig.controller.resume(rig.now)
    back = held + np.array([0.03, 0.0, 0.0, 0.0, 0.0, 0.0])
    rig.carry(back)
    assert rig.run(5.0).pose is None, "near as it is, only a person's word sets it off"
    assert not rig.controller.resume(rig.now).startswith("not")
    command = rig.run(TICK_S)
    if how == "end while stopped":
        assert (command.mode, command.pose) == ("idle", None)
    else:
        np.testing.assert_allclose(error(command.pose, back), 0.0, atol=1e-9)
        rig.follows = True
        rig.plan(deltas(x=0.01))
        assert rig.run(0.2).mode == "running"


def test_after_a_stop_it_goes_on_from_where_the_arm_is() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    rig.controller.stop(rig.now)
    rig.run(0.2)
    rig.reports = rig.follows = False
    rig.run(1.4)
    assert rig.controller.resume(rig.now).startswith("not resumed: no arm state for 1.4"), "who knows where it is?"
    rig.pose = rig.pose + np.array([0.03, 0.03, 0.03, 0.0, 0.0, 0.2])
    rig.reports = True
    rig.run(0.4)
    assert rig.controller.resume(rig.now).startswith("resumed")
    np.testing.assert_allclose(error(rig.run(TICK_S).pose, rig.pose), 0.0, atol=1e-9)


def test_an_arm_that_was_moved_a_little_outside_is_asked_inwards_no_further_than_to_the_edge() -> None:
    rig = Rig(DOWN + np.array([0.2, 0.0, 0.0, 0.0, 0.0, 0.0]))
    rig.controller.stop(rig.now)
    rig.follows = rig.reports = False
    rig.run(0.3)
    rig.pose, rig.reports = DOWN + np.array([0.255, 0.0, 0.0, 0.0, 0.0, 0.0]), True
    rig.run(1.0)
    assert rig.controller.resume(rig.now).startswith("resumed")
    np.testing.assert_allclose(rig.run(TICK_S).pose[:3], [0.70, 0.0, 0.3], atol=1e-6)


#: From where a controller may be held up, in motion and at rest.
BEFORE = {
    "running": lambda rig: None,
    "braking in a hold": lambda rig: (rig.controller.trouble("gripper", "x"), rig.run(0.06)),
    "holding": lambda rig: rig.run(0.8),
    "braking in a fault": lambda rig: (rig.controller._fault("x", rig.now), rig.run(0.06)),
    "fault": lambda rig: (rig.controller._fault("x", rig.now), rig.run(0.8)),
    "stopped": lambda rig: (rig.controller.stop(rig.now), rig.run(0.8)),
    "braking at the end": lambda rig: (rig.controller.end_run("done"), rig.run(0.06)),
}


@pytest.mark.parametrize("state_first", [True, False])
@pytest.mark.parametrize("metres", [0.03, 0.05, 0.3])
@pytest.mark.parametrize("asleep_s", [0.4, 1.5, 60.0])
@pytest.mark.parametrize("before", BEFORE)
def test_an_arm_that_was_moved_while_the_controller_was_held_up_is_not_pulled_back(
    before: str, asleep_s: float, metres: float, state_first: bool
) -> None:
    """Whatever is served first when it goes on: the tick, or what the arm measures."""
    rig = Rig()
    rig.plan(deltas(x=0.03), 1.0)
    rig.run(0.4)
    BEFORE[before](rig)
    rig.controller.trouble("gripper", "")
    rig.follows, since = False, len(rig.trace)
    rig.now += asleep_s
    rig.pose = rig.pose + np.array([0.0, metres, 0.0, 0.0, 0.0, 0.0])
    if not state_first:
        rig.trace.append(rig.controller.tick(rig.now))
    rig.run(3.0)
    sent = [c for c in rig.trace[since:] if c.pose is not None]
    assert all(error(c.pose, rig.pose)[0] < 0.005 for c in sent[:1])
    assert all(c.mode == "running" or error(c.pose, rig.pose)[0] < 0.005 for c in sent[1:] if asleep_s > 1.0), (
        "what goes on with its plan goes within its limits"
    )


@pytest.mark.parametrize("change", [(0.03, 0.0), (0.06, 0.0), (0.0, 0.3)])
def test_an_arm_that_is_led_away_while_stopped_is_not_pulled_back_however_little(change: tuple[float, float]) -> None:
    """Heard all the time, as by a driver whose own controller is off."""
    rig = Rig()
    rig.plan(deltas(x=0.01), 1.0)
    rig.run(1.2)
    rig.controller.stop(rig.now)
    rig.run(0.5)
    rig.follows = False
    rig.carry(rig.pose + np.array([0.0, change[0], 0.0, 0.0, 0.0, change[1]]), 0.2)
    assert rig.run(2.0).pose is None


@pytest.mark.parametrize("metres", [0.03, 0.065])
def test_an_arm_that_was_moved_while_silent_in_a_hold_goes_on_where_it_is(metres: float) -> None:
    rig = Rig()
    rig.run(1.0)  # started, and no plan yet
    rig.reports = rig.follows = False
    rig.run(4.0)
    rig.pose, rig.reports = rig.pose + np.array([0.0, metres, 0.0, 0.0, 0.0, 0.0]), True
    since = len(rig.trace)
    rig.run(1.0)
    assert all(c.pose is None or error(c.pose, rig.pose)[0] < 1e-6 for c in rig.trace[since:])
    assert rig.trace[-1].pose is not None


def test_an_arm_that_is_led_away_in_a_hold_is_called_no_more_once_it_is_said_not_to_follow() -> None:
    rig = Rig()
    rig.run(1.0)
    rig.follows = False
    rig.carry(rig.pose + np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.0]))
    command = rig.run(1.5)
    assert (command.mode, command.pose) == ("holding", None) and "does not follow" in command.reason


@pytest.mark.parametrize("roll", [0.45, 0.52, 0.58])
def test_an_arm_that_was_leaned_over_while_stopped_is_asked_back_to_the_cone_at_most(roll: float) -> None:
    rig = Rig(DOWN + np.array([0.0, 0.0, 0.0, 0.15, 0.0, 0.0]))
    rig.controller.stop(rig.now)
    rig.follows = False
    rig.carry(DOWN + np.array([0.0, 0.0, 0.0, roll, 0.0, 0.0]), 0.3)
    rig.run(1.2)
    assert rig.controller.resume(rig.now).startswith("resumed")
    command = rig.run(TICK_S)
    assert error(command.pose, rig.pose)[1] < 0.1 and tilt(command.pose[3:]) <= Limits().tilt_rad + 1e-9


def test_a_sagging_arm_does_not_sink_from_stop_to_stop() -> None:
    rig = Rig()
    rig.plan(deltas(x=0.01), 0.5)
    rig.run(0.7)
    rig.follows = False
    for _ in range(5):
        held = [c.pose for c in rig.trace if c.pose is not None][-1]
        rig.pose = held - np.array([0.0, 0.0, 0.02, 0.0, 0.0, 0.0])
        rig.controller.stop(rig.now)
        rig.run(0.4)
        rig.reports = False
        rig.run(0.4)
        rig.reports = True
        rig.run(5.2)
        assert rig.controller.resume(rig.now).startswith("resumed")
        np.testing.assert_allclose(rig.run(TICK_S).pose, held, atol=1e-9)


def test_a_run_that_ended_while_stopped_is_cleared_without_the_arm() -> None:
    rig = Rig()
    rig.controller.stop(rig.now)
    rig.controller.end_run("done")
    rig.reports = False
    rig.run(3.0)
    assert rig.controller.resume(rig.now) == RESUMED


@pytest.mark.parametrize("asleep_s", [1.0, 60.0])
def test_after_a_suspend_no_resume_believes_what_was_measured_before(asleep_s: float) -> None:
    rig = Rig()
    rig.controller.stop(rig.now)
    rig.run(1.2)
    assert rig.controller.resume(rig.now + asleep_s).startswith("not resumed: no arm state for")


def test_a_controller_that_is_called_too_often_waits_no_less() -> None:
    calls = Calls()
    calls.stop(1.0)
    for _ in range(1300):
        calls.now += 0.0006
        calls.controller.tick(calls.now)
    assert calls.resume(calls.now).startswith("not resumed: stopped 0.8 s ago")


@pytest.mark.parametrize("sags_m", [0.004, 0.012])
def test_what_is_silent_for_a_moment_goes_on_to_the_same_target(sags_m: float) -> None:
    """Also at the floor of the box, and below it: that must not need a person."""
    rig = Rig(DOWN - np.array([0.0, 0.0, 0.279, 0.0, 0.0, 0.0]))
    rig.plan(deltas(x=0.03), 2.0)
    rig.run(0.4)
    rig.reports = rig.follows = False
    rig.run(0.6)
    last = [c.pose for c in rig.trace if c.pose is not None][-1]
    rig.reports, rig.pose = True, rig.pose - np.array([0.0, 0.0, sags_m, 0.0, 0.0, 0.0])
    command = rig.run(TICK_S)
    assert command.mode == "running"
    np.testing.assert_allclose(command.pose, last, atol=2e-5)
