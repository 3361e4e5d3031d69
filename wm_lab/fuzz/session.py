"""One adversarial session: a real controller core, and around it everything that can go wrong, drawn from one seed."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import suppress
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np

from wm_controller.controller import ArmState, Controller, ControllerConfig, Plan
from wm_controller.inputs import StampClock
from wm_controller.monitor import SILENT_S, EnvelopeMonitor
from wm_controller.twist_law import TwistConfig, TwistLaw
from wm_core.errors import ConfigError
from wm_core.limits import BOX_CEILING_MAX_M, BOX_CEILING_MIN_M, CEILING, JOINTS_RAD, Limits
from wm_core.robot_health import RobotHealth

from .chance import Chance
from .judge import CLOCK_S, LATCHED, Judge
from .planner import BAD, Planner
from .world import AILMENTS, Body, RosClock

HOME_RAD = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])
#: A stamp whose age is so little off a limit is neither good nor bad here; the controller may take it or not.
STAMP_SLACK_S = 0.06
NODES = ("planner", "encoder")
#: What a robot may be in, and what of it a person has to see to.
SEVERE = ("REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY")
MODES = ("OTHER", "IDLE", "MOVE", "GUIDING", "", *SEVERE)

LIMITS = {
    "defaults": Limits(),
    "ceilings": Limits(box_min_m=BOX_CEILING_MIN_M, box_max_m=BOX_CEILING_MAX_M, **CEILING),
    "small box, slow brakes": Limits(
        (0.43, -0.02, 0.29), (0.47, 0.02, 0.31), 0.25, 0.5, accel_m_s2=0.2, rot_accel_rad_s2=0.3, tilt_rad=0.1
    ),
    "little jerk": Limits(speed_m_s=0.25, accel_m_s2=2.0, rot_accel_rad_s2=4.0, jerk_m_s3=3.0, rot_jerk_rad_s3=5.0),
    "short leash": Limits(speed_m_s=0.25, accel_m_s2=2.0, leash_m=0.01, leash_rad=0.05),
    "no turning": Limits(rot_speed_rad_s=0.0),
    "no motion": Limits(speed_m_s=0.0, accel_m_s2=0.0, rot_accel_rad_s2=0.0),
}


#: Values that no configuration may have.
LOOSE: tuple[tuple[str, Any], ...] = (
    *((name, 1.01 * value) for name, value in CEILING.items()),
    *(("speed_m_s", math.nan), ("step_m", -0.01), ("leash_m", math.inf)),
    *((name, value) for name in ("force_hold_n", "force_stop_n") for value in (100.0, 1e300, math.nan, -1.0)),
    *((name, value) for name in ("torque_hold_nm", "torque_stop_nm") for value in (100.0, math.inf, math.nan)),
    *(("execute_steps", 256), ("heartbeat_s", 60.0), ("plan_max_age_s", 60.0), ("joint_margin_rad", 0.0)),
)


@dataclass
class Found:
    """What came out of one or many sessions."""

    ticks: int = 0
    commands: int = 0
    path_m: float = 0.0
    modes: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)  # of the sessions with a violation

    def add(self, other: Found) -> None:
        self.ticks += other.ticks
        self.commands += other.commands
        self.path_m += other.path_m
        self.modes += other.modes
        self.happened += other.happened
        self.violations += other.violations
        self.seeds += other.seeds
        for kind, size in other.worst.items():
            self.worst[kind] = max(self.worst.get(kind, 0.0), size)


class GripperPort(Protocol):
    """What the node asks of a gripper; wm_controller.arms.grippers.base, which this does not import because of ROS."""

    def send(self, value: float) -> None: ...

    def forget(self) -> None: ...

    def stop(self) -> None: ...


class Session:
    """One controller, started, with an arm below it, and everything that can go wrong drawn from ``seed``.

    Args:
        seed: of all that happens.
        limits: None draws one of LIMITS.
        gripper: to be sent what the node sends to one.
    """

    def __init__(self, seed: int, limits: Limits | None = None, gripper: GripperPort | None = None) -> None:
        self.gripper, self.seed, self.chance = gripper, seed, Chance(seed)
        rng, pick = self.chance.rng, self.chance.pick
        self.limits = LIMITS[pick(*LIMITS)] if limits is None else limits
        self.config = ControllerConfig(
            limits=replace(self.limits),  # its own: nobody knows what it does to it
            execute_steps=pick(1, 1, 2, 20),
            force_hold_n=pick(None, 15.0),
            force_stop_n=pick(None, 20.0),
            torque_hold_nm=pick(None, 15.0),
            torque_stop_nm=pick(None, None, 20.0),
            robot=pick("fr3", "fer", None),
            heartbeat_s=pick(0.4, 3.0),
            require=pick((), (), (), (), (), (), (), ("planner",), ("robot",), ("wrench",)),
        )
        c = self.config
        self.controller = Controller(replace(c))
        self.monitor = EnvelopeMonitor(self.limits)
        self.body = Body(rng, lag_s=pick(0.0, 0.0, 0.1, 0.3))
        self.law = TwistLaw(TwistConfig(gain_per_s=pick(0.0, 2.0, 5.0)), self.limits)
        self.now = self._moved_s = 5.0
        self.simulated = rng.random() < 0.3
        self.judge = Judge(self.limits, c.execute_steps, c.plan_max_age_s, STAMP_SLACK_S if self.simulated else 0.005)
        self.ros = RosClock(0.0 if self.simulated else 1.7e9, pick(0.5, 1.0, 1.2) if self.simulated else 1.0)
        self.stamps = StampClock(simulated=self.simulated)
        if self.simulated and pick(True, False):
            self.ros.stand(self.now + rng.uniform(0.1, 1.0))  # not started yet
            self.judge.forbid("clock", self.now)
        self.ros.advance(0.0, self.now)
        self.tells_robot, self.tells_joints, self.tells_nodes = (rng.random(3) < 0.4).tolist()
        for name in c.require:
            self.judge.forbid(name, self.now)
        #: Whether contact is looked at, and whether the arm reports it.
        self.looks = (c.force_hold_n, c.force_stop_n, c.torque_hold_nm, c.torque_stop_nm) != (None,) * 4
        self.wrench = self.looks or rng.random() < 0.3
        if self.looks:
            self.judge.forbid("no wrench", self.now)
        self.low, self.high = pick((0.005, 0.04), (0.015, 0.025), (0.03, 0.05), (0.001, 0.055))
        self.latency_s = pick(0.0, 0.005, 0.02)  # of the arm's reports
        self.dull = rng.random() < 0.1  # a planner that is slow to begin; time flies meanwhile
        self.planner = Planner(self.chance)
        self.eager = pick(0.03, 0.1, 0.3)  # how soon a person starts and resumes
        self.every_s = pick(0.05, 0.4, 1.1, 2.5)  # how often a program resumes
        self._next_call_s = self._latched_s = -math.inf  # of a person, at the earliest, and of the last stop or fault
        self.mode = "idle"
        self._heard: dict[str, float] = {}
        self._spam_s, self._path_m = -math.inf, 0.0
        self._modes: Counter[str] = Counter()
        self._last: np.ndarray | None = None  # the pose commanded at the last tick
        self._seen: np.ndarray | None = None  # the newest pose that the controller accepted

    def run(self, ticks: int) -> Found:
        """Play ``ticks`` ticks and say what was found."""
        try:
            self._play(ticks)
        except Exception as error:  # of the controller: nothing that it is told may end it
            self.judge.blame(f"raised {error!r}")
        violations = self.judge.found + +Counter(self.monitor.counts)
        return Found(
            *(ticks, self.monitor.commands, self._path_m, self._modes, self.chance.happened, violations),
            worst=dict(self.monitor.worst),
            seeds=[self.seed] if violations else [],
        )

    def _play(self, ticks: int) -> None:
        self._observe()
        self._state()
        if self.chance.pick(True, True, True, False):
            self._call("start")
        for _ in range(ticks):
            self._time()
            self._people()
            self._world()
            self._inputs()
            self._tick()

    # -------------------------------------------------------------------- time

    def _time(self) -> None:
        rng, before = self.chance.rng, self.now
        dull = self.dull and self.mode != "running"
        passed = rng.uniform(0.1, 0.3) if dull else rng.uniform(self.low, self.high)
        if self.chance.happens("suspended process"):
            passed += rng.uniform(0.05, 3.0)
            if self.chance.pick(True, False):
                self.body.jump()
        elif self.chance.happens("timer fires twice"):
            passed = 0.0
        self.now += passed
        self.ros.advance(before, self.now)
        if not self.ros.stands(self.now):
            self.judge.allow("clock")
        if self.chance.happens("clock set"):
            # A simulated clock may go at twice the pace, so that less than this is no fault; going back always is.
            by_s = self.chance.pick(rng.uniform(0.2, 1.0), rng.uniform(1.0, 100.0)) + 2 * passed * self.simulated
            self.ros.set(self.chance.pick(-by_s, by_s))
            self.judge.clock(self.now)
            self.judge.allow("clock")
        elif self.simulated and self.chance.happens("clock stands"):
            self.ros.stand(self.now + rng.uniform(0.02, 2.0))
        if self.ros.stands(self.now):
            self.judge.forbid("clock", self.now, within_s=CLOCK_S + self.high)

    def _observe(self) -> None:
        """What the node does before it does anything: compare the clocks."""
        self.controller.trouble("clock", self.stamps.observe(self.ros.now_s, self.now))

    # ------------------------------------------------------------------ people

    def _people(self) -> None:
        rng = self.chance.rng
        if self.chance.happens("services at once"):
            calls = ["start", "stop", "resume"]
            rng.shuffle(calls)
            for call in calls[: rng.integers(1, 4)]:
                self._call(call)
        if self.chance.happens("stop"):
            self._call("stop")
        if self.chance.happens("start"):
            self._call("start")
        if self.chance.lasts("resume again and again", self.now, 1.0, 4.0) and self.now - self._spam_s >= self.every_s:
            self._spam_s = self.now
            self._call("resume")
        if self.chance.happens("run ended"):
            self.controller.end_run(self.chance.pick("the last goal was reached", "the planner was started anew"))
            self.judge.end()
        # A person who wants to go on waits a moment after a stop, most times, and does as the answer says.
        looks = self.mode == "idle" or self.now - self._latched_s > 1.0 or rng.random() < 0.02
        due = self.mode not in ("running", "holding") and self.now >= self._next_call_s
        if due and looks and rng.random() < self.eager:
            answer = self._call("start" if self.mode == "idle" else "resume")
            self._next_call_s = self.now + (5.1 if "call resume once" in answer else 0.35)
        if self.chance.happens("parameter set"):
            self._set_parameter()
        if self.chance.happens("loose configuration"):
            self._loosen()

    def _call(self, service: str) -> str:
        """A call as the node serves it; returns the answer."""
        self._observe()
        if service == "stop":
            answer = self.controller.stop(self.now)
            self.judge.stop(self.now)
            self._show(self.controller.status(self.now).mode)
            return answer
        act, tell = {
            "start": (self.controller.start, self.judge.start),
            "resume": (self.controller.resume, self.judge.resume),
        }[service]
        answer = act(self.now)
        done = not answer.startswith("not ")
        tell(self.now, done)
        if done and self.gripper is not None:
            self.gripper.forget()
        if done and service == "start":
            self.monitor.check(self.now, None)  # the stream begins anew
        self._show(self.controller.status(self.now).mode)
        if done and self.dull:
            self.planner.next_s = self.now + self.chance.rng.uniform(5.0, 15.0)
        return answer

    def _set_parameter(self) -> None:
        """Somebody reaches for the configuration of a controller that runs; the judge goes by the one that it had."""
        of = self.chance.pick(self.controller.config, self.controller.config.limits)
        name = self.chance.pick(*(f.name for f in fields(of)))
        value = getattr(of, name)
        with suppress(FrozenInstanceError):
            setattr(of, name, 10 * value if isinstance(value, float) else None)

    def _loosen(self) -> None:
        """Somebody writes a configuration that is looser than the code allows."""
        name, value = self.chance.pick(*LOOSE)
        of = Limits if name in CEILING else ControllerConfig
        with suppress(ConfigError):
            of(**{name: value})
            self.judge.blame(f"{name} = {value} was taken")

    # ------------------------------------------------------------------- world

    def _world(self) -> None:
        for name in AILMENTS:
            if self.chance.happens(name):
                self.body.ail(name, self.now + self.chance.rng.uniform(0.1, 4.0))
        if self.chance.happens("jumps"):
            self.body.jump()
        if self.chance.happens("gripper by hand"):
            self.body.hand(self.chance.pick(0.0, 0.5, 1.0))
        if self.mode not in ("running", "holding") and self.chance.rng.random() < 0.1 * self.eager:
            self.body.bring_back()
        for cause, name, latch in (("voices", "second voice", False), ("launcher", "launcher lost", True)):
            if self.chance.lasts(name, self.now, 0.02, 3.5):
                self.controller.trouble(cause, f"{name}; end it", latch)
                self.judge.forbid(cause, self.now, latch=latch)
            else:
                self.controller.trouble(cause, "")
                self.judge.allow(cause)

    # ------------------------------------------------------------------ inputs

    def _inputs(self) -> None:
        self._observe()
        if not self.chance.lasts("silent arm", self.now, 0.1, 3.0):
            self._state()
        if self.wrench and not self.chance.lasts("no wrench", self.now, 0.1, 1.0):
            self._wrench()
        if self.tells_joints:
            self._joints()
        if self.tells_robot:
            self._robot()
        if self.tells_nodes:
            self._nodes()
        for name, heard_s in self._heard.items():
            most_s = self.config.heartbeat_s if name in NODES else self.limits.state_timeout_s + STAMP_SLACK_S
            if self.now - heard_s > most_s + 1e-6:
                self.judge.forbid(name, self.now)
        self._plans()

    def _steady(self, stamp_s: float) -> tuple[float, float]:
        """A stamp as the node hands it on, and how old it claims to be, by the clock of the moment."""
        return self.stamps.to_steady(stamp_s), self.ros.now_s - stamp_s

    def _state(self) -> None:
        rng, state, judge = self.chance.rng, self.body.state.copy(), self.judge
        pose, gripper = state[:6], float(state[6])
        stamp_s = self.ros.at(self.now - self.latency_s)
        if self.chance.happens("bad stamp"):
            stamp_s += self.chance.pick(-1.0, 1.0, math.nan, math.inf)
        stamp_s, age_s = self._steady(stamp_s)
        if bad := self.chance.happens("bad pose"):
            pose[rng.integers(6)] = self.chance.pick(*BAD[:3])
        if mute := self.chance.happens("bad gripper"):
            gripper = self.chance.pick(*BAD[:3])
        refused = self.controller.on_state(ArmState(stamp_s, pose, gripper), self.now)
        if bad or not -STAMP_SLACK_S <= age_s <= 0.2 + STAMP_SLACK_S:  # NaN is not either
            judge.forbid("pose", self.now)
        elif age_s < 0.2 - STAMP_SLACK_S:
            judge.allow("pose")
            self._seen = pose
            judge.measured(self.now, self.now - age_s, pose, None if mute else gripper)
        if mute:
            judge.forbid("gripper", self.now)
        elif not refused:
            judge.allow("gripper")
        if not refused:
            self.law.take_state(pose, stamp_s)
        if self.chance.happens("states overtake"):
            self.controller.on_state(ArmState(stamp_s - 0.01, pose, gripper), self.now)

    def _wrench(self) -> None:
        """Several come in a tick; what is felt in one of them may be over in the next."""
        judge, c = self.judge, self.config
        judge.allow("no wrench")
        stamp_s, age_s = self._steady(self.ros.at(self.now - self.latency_s))
        if age_s < 0.2 - STAMP_SLACK_S:
            self._well("wrench")
        if self.chance.happens("short touch"):
            touch = np.array([25.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            touch[1] = self.chance.pick(0.0, *BAD[:3])  # what is refused may be all that tells of it
            if (c.force_hold_n, c.force_stop_n) != (None, None):
                judge.forbid("short touch", self.now, latch=True)
                judge.allow("short touch")
            self.controller.on_wrench(stamp_s, touch, self.now)
        wrench, bad = self.chance.rng.normal(0, 1.0, 6), self.chance.happens("bad wrench")
        for name, limits, part in (
            ("contact", (c.force_hold_n, c.force_stop_n), slice(0, 3)),
            ("twist of the wrist", (c.torque_hold_nm, c.torque_stop_nm), slice(3, 6)),
        ):
            if self.chance.lasts(name, self.now, 0.0, 2.5):
                wrench[part] += self.chance.pick(-25.0, 25.0)  # above the limits, even where one number of it is bad
                if limits != (None, None):
                    judge.forbid(name, self.now, latch=True)
            else:
                judge.allow(name)
        if bad:
            wrench[self.chance.rng.integers(6)] = self.chance.pick(*BAD[:3])
            judge.forbid("wrench", self.now)
        self.controller.on_wrench(stamp_s, wrench, self.now)

    def _joints(self) -> None:
        if self.chance.lasts("silent joints", self.now, 0.2, 1.0):
            return
        joints = HOME_RAD + self.chance.rng.normal(0, 0.01, 7)
        if bad := self.chance.happens("bad joints"):
            if self.chance.pick(True, False):
                joints[self.chance.rng.integers(7)] = self.chance.pick(*BAD[:3])
            else:
                joints[3] = JOINTS_RAD["fr3"][3][1]
        stamp_s, age_s = self._steady(self.ros.at(self.now - self.chance.rng.uniform(0.0, 0.05)))
        self.controller.on_joints(stamp_s, joints, self.now)
        if self.config.robot is None:
            return
        if bad:
            self.judge.forbid("joints", self.now)
        elif age_s < 0.2 - STAMP_SLACK_S:
            self._well("joints")

    def _robot(self) -> None:
        if self.chance.lasts("silent robot", self.now, 0.2, 1.0):
            return
        mode = self.chance.pick(*MODES) if self.chance.happens("robot mode") else "MOVE"
        errors = ("joint_reflex",) if self.chance.happens("robot error") else ()
        rate = self.chance.pick(0.5, math.nan) if self.chance.happens("robot rate") else 1.0
        made_s = self.now - 0.01
        if self.chance.happens("late robot error"):
            errors, made_s = ("joint_reflex",), self.now - self.chance.rng.uniform(0.3, 1.0)
        stamp_s, age_s = self._steady(self.ros.at(made_s))
        self.controller.on_robot(RobotHealth(stamp_s, mode, errors, rate), self.now)
        if mode != "MOVE" or errors or rate != 1.0:
            self.judge.forbid("robot", self.now)
        if mode in SEVERE or errors:
            self.judge.forbid("robot error", self.now, latch=True)
            self.judge.allow("robot error")
        if mode == "MOVE" and not errors and rate == 1.0 and age_s < 0.2 - STAMP_SLACK_S:
            self._well("robot")

    def _nodes(self) -> None:
        silent = self.chance.lasts("silent node", self.now, 0.2, 2.0)
        for node in NODES[:1] if silent else (*NODES, "nobody"):
            if self.chance.rng.random() < 0.5:
                self.controller.on_heartbeat(node, self.now)
                self._well(node)

    def _well(self, name: str) -> None:
        """There was good news of it."""
        if name != "nobody":
            self._heard[name] = self.now
        self.judge.allow(name)

    def _plans(self) -> None:
        for stamp_s, period_s, deltas in self.planner.plans(self.now, self.ros):
            steady_s, age_s = self._steady(stamp_s)
            plan = Plan(steady_s, period_s, deltas)  # type: ignore[arg-type]
            refused = self.controller.on_plan(plan, self.now)
            self.judge.plan(self.now, self.now - age_s, period_s, deltas, taken=not refused)

    # -------------------------------------------------------------------- tick

    def _tick(self) -> None:
        """As the node's: to the arm and its gripper goes what the controller says."""
        self._observe()
        now, command = self.now, self.controller.tick(self.now)
        self._modes[command.mode] += 1
        self.judge.tick(now, command.pose, command.gripper, command.mode, command.reason)
        if now - self._moved_s > SILENT_S and self._at_arm(command.pose):
            self.monitor.check(now, None)  # after a pause the stream may begin anew where the arm is
        self.monitor.check(now, command.pose, stopped=command.mode == "stopped", measured=self._seen)
        latches = command.mode == "stopped" and command.mode != self.mode  # then a zero follows at once
        mode = "holding" if latches else command.mode
        if command.pose is not None:
            self.judge.twist(now, *self.law.twist(command.pose, now, command.mode != "running"), mode)
            if self._last is not None:
                self._path_m += float(np.linalg.norm(command.pose[:3] - self._last[:3]))
        elif self.law.moving:
            self.judge.twist(now, *self.law.rest(now), mode)
        if command.gripper is not None and self.gripper is not None:
            self.gripper.send(command.gripper)
        self._show(command.mode)
        self.body.move(now, now - self._moved_s, command.pose, command.gripper)
        self._moved_s, self._last = now, command.pose

    def _at_arm(self, pose: np.ndarray | None) -> bool:
        return pose is not None and self._seen is not None and float(np.linalg.norm((pose - self._seen)[:3])) < 0.005

    def _show(self, mode: str) -> None:
        """A latched mode is told to the arm itself, as by the node."""
        if mode != self.mode and mode in LATCHED:
            self._latched_s = self.now
            if mode == "stopped":
                self.judge.twist(self.now, *self.law.stop(), mode)
            if self.gripper is not None:
                self.gripper.stop()
        self.mode = mode
