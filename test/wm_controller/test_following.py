"""Arms that follow late, badly, or not at all: which of them hold, how soon, and which must not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from wm_controller.controller import ArmState, Command, Controller, ControllerConfig, Plan
from wm_core.limits import CEILING, OUTSIDE_SLACK_M, Limits
from wm_core.pose import difference, integrate

DOWN = np.array([0.45, 0.0, 0.3, math.pi, 0.0, 0.3])
TICK_S, LATENCY_S = 0.02, 0.06
FAST = Limits(**CEILING)
#: A plan for a time and the measured state.
Planner = Callable[[float, np.ndarray], np.ndarray]


@dataclass
class Arm:
    """Comes after its target by ``lag_s``, ``dead_s`` later, and stands ``short_m`` short of it (friction)."""

    lag_s: float = 0.0
    dead_s: float = 0.0
    short_m: float = 0.0
    pose: np.ndarray = field(default_factory=DOWN.copy)
    frozen: bool = False
    wall_x: float = math.inf
    drift: np.ndarray = field(default_factory=lambda: np.zeros(6))
    _targets: deque[np.ndarray] = field(default_factory=deque)

    def move(self, target: np.ndarray | None) -> None:
        self.pose = integrate(np.append(self.pose, 0.0), np.append(self.drift * TICK_S, 0.0))[:6]
        if target is None or self.frozen:
            return
        self._targets.append(target)
        if len(self._targets) <= round(self.dead_s / TICK_S):
            return
        way = difference(np.append(self.pose, 0.0), np.append(self._targets.popleft(), 0.0))
        far = float(np.linalg.norm(way[:3]))
        way[:3] *= max(0.0, far - self.short_m) / max(far, 1e-12)
        self.pose = integrate(np.append(self.pose, 0.0), way * min(1.0, TICK_S / max(self.lag_s, TICK_S)))[:6]
        self.pose[0] = min(self.pose[0], self.wall_x)


class Rig:
    def __init__(self, arm: Arm, planner: Planner, period_s: float = 0.25, limits: Limits | None = None) -> None:
        self.arm, self.planner, self.period_s, self.now = arm, planner, period_s, 100.0
        self.controller = Controller(ControllerConfig(limits=limits or Limits()))
        self.ticks = 0
        self.seen: tuple[float, np.ndarray] | None = None
        self.noise = np.zeros(6)
        self.rng = np.random.default_rng(0)
        self._state()
        self.controller.start(self.now)

    def _state(self) -> None:
        noise = self.noise * self.rng.standard_normal(6)
        self.controller.on_state(ArmState(self.now, self.arm.pose + noise, 0.0), self.now)

    def run(self, seconds: float, on: bool = False) -> tuple[Command, float]:
        """Until something holds, or ``on`` all the same. Returns the last command and how long it took."""
        for k in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self._state()
            if self.ticks % round(self.period_s / TICK_S) == 0:
                self.seen = self.now, self.arm.pose.copy()
            self.ticks += 1
            if self.seen is not None and self.now - self.seen[0] >= LATENCY_S - 1e-9:
                stamp_s, pose = self.seen
                self.seen = None
                refused = self.controller.on_plan(Plan(stamp_s, self.period_s, self.planner(stamp_s, pose)), self.now)
                assert refused == "" or on
            command = self.controller.tick(self.now)
            if command.mode != "running" and self.ticks > 10 and not on:
                return command, (k + 1) * TICK_S
            self.arm.move(command.pose)
        return command, seconds


def constant(**change: float) -> Planner:
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    step = np.array([[change.get(name, 0.0) for name in names]] * 2)
    return lambda now_s, pose: step


def to_and_fro(size: float, turn: float, every_s: float) -> Planner:
    """A planner towards two goals in turn, in all axes, that sees where the arm is."""

    def plan(now_s: float, pose: np.ndarray) -> np.ndarray:
        side = 1.0 if int((now_s - 100.0) / every_s) % 2 == 0 else -1.0
        goal = DOWN + side * np.array([size, -size, size / 2, 0.0, 0.0, turn])
        way = difference(np.append(pose, 0.0), np.append(goal, 0.0))
        way[:3] *= min(1.0, 0.05 / max(np.linalg.norm(way[:3]), 1e-9))
        way[3:6] = np.clip(way[3:6], -0.1, 0.1)
        return np.tile(way, (2, 1))

    return plan


def wander(size: float, turn: float) -> Planner:
    rng = np.random.default_rng(5)

    def plan(now_s: float, pose: np.ndarray) -> np.ndarray:
        back = difference(np.append(pose, 0.0), np.append(DOWN, 0.0)) * 0.1
        scale = np.array([size] * 3 + [0.0, 0.0, turn, 0.0])
        return back[None] + rng.standard_normal((2, 7)) * scale

    return plan


# --- no fault


PLANNERS = [to_and_fro(0.1, 0.3, 3.0), to_and_fro(0.05, 0.2, 0.6), to_and_fro(0.1, 0.0, 1.3), wander(0.02, 0.03)]


@pytest.mark.parametrize("limits", [Limits(), FAST, Limits(accel_m_s2=0.1, speed_m_s=0.25), Limits(leash_m=0.02)])
@pytest.mark.parametrize("arm", [Arm(0.0), Arm(0.1), Arm(0.3), Arm(0.15, 0.1)])
@pytest.mark.parametrize("planner", PLANNERS)
def test_an_arm_that_lags_follows(limits: Limits, arm: Arm, planner: Planner) -> None:
    command, _ = Rig(deepcopy(arm), planner, limits=limits).run(12.0)
    assert command.mode == "running", command.reason


@pytest.mark.parametrize("limits", [Limits(), FAST, Limits(leash_m=0.02)])
@pytest.mark.parametrize("planner", [to_and_fro(0.1, 0.3, 2.5), *PLANNERS[1:]])
def test_an_arm_that_stands_a_little_short_follows(limits: Limits, planner: Planner) -> None:
    """As long as it is not asked for three seconds to come nearer than it does."""
    rig = Rig(Arm(0.1, 0.05, short_m=0.01), planner, limits=limits)
    rig.noise = np.array([5e-5] * 3 + [1e-4] * 3)
    command, _ = rig.run(12.0)
    assert command.mode == "running", command.reason


@pytest.mark.parametrize("planner", [constant(), wander(0.0005, 0.001), constant(gripper=0.5)])
@pytest.mark.parametrize("lag_s", [0.0, 0.3])
def test_an_arm_that_is_asked_for_next_to_nothing_may_stand(planner: Planner, lag_s: float) -> None:
    rig = Rig(Arm(lag_s), planner)
    rig.noise = np.array([1e-4] * 3 + [2e-4] * 3)
    command, _ = rig.run(10.0)
    assert command.mode == "running", command.reason


@pytest.mark.parametrize("change", [{"x": 0.05}, {"z": -0.05}, {"roll": 0.15}, {"pitch": -0.15, "y": 0.05}])
def test_an_arm_at_the_edge_of_box_and_cone_may_stand(change: dict) -> None:
    rig = Rig(Arm(0.2), constant(**change))
    command, _ = rig.run(14.0)
    assert command.mode == "running", command.reason


@pytest.mark.parametrize("limit", ["speed_m_s", "accel_m_s2", "leash_m", "rot_speed_rad_s", "rot_accel_rad_s2"])
@pytest.mark.parametrize("value", [0.0, 0.002])
def test_a_limit_that_lets_little_motion_through_asks_for_little(limit: str, value: float) -> None:
    rig = Rig(Arm(0.1), constant(x=0.02, yaw=0.05), limits=replace(Limits(), **{limit: value}))
    command, _ = rig.run(5.0)
    assert command.mode == "running", command.reason


# --- faults


@pytest.mark.parametrize("period_s", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("step", [0.002, 0.01, 0.03, 0.05])
@pytest.mark.parametrize("axes", ["x", "xyz"])
@pytest.mark.parametrize("trembles", [False, True])
def test_a_frozen_arm_holds_in_about_a_second_then_waits_for_a_person(
    step: float, period_s: float, axes: str, trembles: bool
) -> None:
    """In three where it trembles like a live one and lacks no more than what friction may keep it off."""
    size = step / math.sqrt(len(axes))
    rig = Rig(Arm(frozen=True), constant(**dict.fromkeys(axes, size)), period_s)
    if trembles:
        rig.noise = np.array([5e-5] * 3 + [1e-4] * 3)
    command, after_s = rig.run(5.0)
    assert command.mode == "holding" and command.reason.startswith("the arm does not follow: asked to go 0.")
    assert "see what blocks it" in command.reason
    at_once = step / period_s >= 0.004 and not (trembles and step < 0.015)
    assert after_s < (1.7 if at_once else 3.4)
    assert rig.run(2.2, on=True)[0].mode == "stopped"
    rig.run(1.1, on=True)
    assert rig.controller.resume(rig.now).startswith("resumed"), "a person may try again"


def circling(every_s: float, size: float) -> Planner:
    def plan(now_s: float, pose: np.ndarray) -> np.ndarray:
        angle = math.tau * (now_s - 100.0) / every_s
        return np.array([[size * math.cos(angle), size * math.sin(angle), 0.0, 0.0, 0.0, 0.0, 0.0]] * 2)

    return plan


def turning_about(every_s: float, axis: int, size: float) -> Planner:
    def plan(now_s: float, pose: np.ndarray) -> np.ndarray:
        out = np.zeros((2, 7))
        out[:, axis] = math.copysign(size, math.sin(math.tau * (now_s - 100.0) / every_s))
        return out

    return plan


@pytest.mark.parametrize("limits", [Limits(), FAST])
@pytest.mark.parametrize("every_s", [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 6.0])
@pytest.mark.parametrize("kind", ["circle", "to and fro", "wrist"])
@pytest.mark.parametrize("trembles", [False, True])
def test_a_frozen_arm_holds_whatever_way_its_plans_go(
    kind: str, every_s: float, limits: Limits, trembles: bool
) -> None:
    planner = {
        "circle": circling(every_s, 0.03),
        "to and fro": turning_about(every_s, 1, 0.03),
        "wrist": turning_about(every_s, 5, 0.15),
    }[kind]
    rig = Rig(Arm(frozen=True), planner, 0.1, limits)
    rig.noise = np.array([1e-4] * 3 + [2e-4] * 3) * trembles
    command, after_s = rig.run(6.0)
    assert command.mode == "holding" and command.reason.startswith("the arm does not follow")
    assert after_s < 3.7


@pytest.mark.parametrize("every_s", [0.5, 0.7, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("arm", [Arm(), Arm(0.1), Arm(0.3), Arm(0.15, 0.1), Arm(0.1, short_m=0.002)])
def test_an_arm_that_circles_as_asked_follows(arm: Arm, every_s: float) -> None:
    command, _ = Rig(deepcopy(arm), circling(every_s, 0.03), 0.1).run(8.0)
    assert command.mode == "running", command.reason


@pytest.mark.parametrize("step", [0.01, 0.03, 0.1])
def test_a_frozen_wrist_holds(step: float) -> None:
    command, after_s = Rig(Arm(frozen=True), constant(yaw=step)).run(5.0)
    assert "rad in 1 s, it went 0.000 rad" in command.reason and after_s < 1.7


@pytest.mark.parametrize("lag_s", [0.0, 0.2])
def test_an_arm_that_freezes_in_motion_holds(lag_s: float) -> None:
    rig = Rig(Arm(lag_s), to_and_fro(0.1, 0.2, 3.0))
    assert rig.run(4.0)[0].mode == "running"
    rig.arm.frozen = True
    command, after_s = rig.run(5.0)
    assert command.mode == "holding" and after_s < 1.7


@pytest.mark.parametrize("leash_m", [0.01, 0.05])
def test_a_blocked_arm_holds(leash_m: float) -> None:
    rig = Rig(Arm(0.1, wall_x=0.50), constant(x=0.025), limits=Limits(leash_m=leash_m))
    command, after_s = rig.run(10.0)
    assert command.mode == "holding" and "does not follow" in command.reason
    blocked_s = 0.05 / 0.1
    assert after_s < blocked_s + 3.0


@pytest.mark.parametrize("speed", [0.02, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("way", [(0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (0.6, 0.0, -0.8)])
@pytest.mark.parametrize("planner", [constant(), constant(x=0.0, y=-0.01), wander(0.005, 0.01)])
def test_an_arm_that_is_pushed_or_sinks_holds(speed: float, way: tuple, planner: Planner) -> None:
    rig = Rig(Arm(frozen=True, drift=speed * np.array([*way, 0.0, 0.0, 0.0])), planner)
    start = rig.arm.pose.copy()
    command, after_s = rig.run(5.0)
    assert command.mode == "holding" and "does not follow" in command.reason
    moved = float(np.linalg.norm(rig.arm.pose[:3] - start[:3]))
    assert moved < 0.09 or after_s < 0.8


@pytest.mark.parametrize("speed", [0.002, 0.005, 0.012])
@pytest.mark.parametrize("planner", [constant(), constant(gripper=1.0)])
@pytest.mark.parametrize("limits", [Limits(), Limits(speed_m_s=0.25, accel_m_s2=2.0)])
def test_an_arm_that_sinks_slowly_holds_before_it_is_far_off(speed: float, planner: Planner, limits: Limits) -> None:
    """The target sinks with it, since each plan begins where the arm is measured."""
    rig = Rig(Arm(frozen=True, drift=np.array([0.0, 0.0, -speed, 0.0, 0.0, 0.0])), planner, limits=limits)
    command, _ = rig.run(40.0)
    assert command.mode == "holding" and "does not follow" in command.reason
    assert DOWN[2] - rig.arm.pose[2] < 0.055


def test_a_wrist_that_turns_slowly_by_itself_holds() -> None:
    rig = Rig(Arm(frozen=True, drift=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.02])), constant(yaw=0.0002))
    command, after_s = rig.run(40.0)
    assert command.mode == "holding" and "no plan asked for" in command.reason and 0.02 * after_s < 0.45


@pytest.mark.parametrize("arm", [Arm(0.3), Arm(0.1, 0.05, short_m=0.005)])
@pytest.mark.parametrize("planner", [to_and_fro(0.05, 0.2, 0.6), wander(0.02, 0.03)])
def test_an_arm_that_does_for_long_what_it_is_asked_follows(arm: Arm, planner: Planner) -> None:
    command, _ = Rig(deepcopy(arm), planner, limits=FAST).run(35.0)
    assert command.mode == "running", command.reason


def test_an_arm_that_leans_more_and_more_holds() -> None:
    rig = Rig(Arm(frozen=True, drift=np.array([0.0, 0.0, 0.0, 0.1, 0.0, 0.0])), constant(x=0.0, yaw=0.01))
    command, _ = rig.run(5.0)
    assert command.mode == "holding" and "rad" in command.reason


def test_an_arm_that_goes_the_other_way_holds() -> None:
    rig = Rig(Arm(frozen=True, drift=np.array([-0.1, 0.0, 0.0, 0.0, 0.0, 0.0])), constant(x=0.025))
    command, after_s = rig.run(5.0)
    assert command.mode == "holding" and after_s < 1.2


# --- outside


@pytest.mark.parametrize(
    ("drift", "says"),
    [((0.0, 0.0, -0.02, 0.0), "z = -0.0"), ((0.0, 0.0, 0.0, 0.12), "leans 0.6"), ((0.0, 0.08, 0.0, 0.0), "y = 0.37")],
)
def test_an_arm_that_is_measured_outside_holds(drift: tuple, says: str) -> None:
    x, y, z, roll = drift
    start = DOWN + np.array([0.0, 0.34 if y else 0.0, -0.265 if z else 0.0, 0.46 if roll else 0.0, 0.0, 0.0])
    rig = Rig(Arm(frozen=True, pose=start), constant())
    assert rig.run(0.5)[0].mode == "running"
    rig.arm.drift = np.array([x, y, z, roll, 0.0, 0.0])
    command, _ = rig.run(4.0)
    assert command.mode == "holding" and says in command.reason and "by hand" in command.reason


@pytest.mark.parametrize(("outside_s", "mode"), [(1.0, "running"), (2.2, "stopped")])
def test_an_arm_that_comes_back_inside_soon_goes_on(outside_s: float, mode: str) -> None:
    start = DOWN.copy()
    start[2] = Limits().box_min_m[2]
    rig = Rig(Arm(frozen=True, pose=start), constant())
    rig.run(0.5)
    rig.arm.drift[2] = -0.05
    rig.run(0.42, on=True)
    assert -2 * OUTSIDE_SLACK_M < rig.arm.pose[2] < start[2] - OUTSIDE_SLACK_M
    rig.arm.drift[2] = 0.0
    assert rig.run(outside_s, on=True)[0].mode in ("holding", "stopped")
    rig.arm.drift[2] = 0.05
    assert rig.run(0.5, on=True)[0].mode == mode
