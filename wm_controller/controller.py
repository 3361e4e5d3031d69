"""The controller core: plans and measured states in, one safe target pose per tick out.

Pure Python over floats; the caller passes the time in (seconds, any epoch, the same for stamps and ``now_s``), so that
the node, data generation and closed-loop evaluation run the very same code. A plan is a short sequence of 7-D deltas
from the measured pose at the plan's stamp (wm_core/pose.py); its first ``execute_steps`` are executed.

What is limited, in order of precedence: the box and the tilt cone are never left; then speed; then acceleration; then
the leash. All hold for the *interpolated* stream, tick by tick. What may end a motion:

- bad input (not finite, wrong shape, stale or future stamp, wrong frame) holds the arm until good input comes;
- a missing state or plan holds it until there is a fresh one;
- ``stop`` latches: the target freezes at once, and only ``resume`` and then a plan made after it move the arm again.

A hold brakes within the acceleration limit. A stop does not brake the target: it stands still from that tick on, and
the compliant arm, which is a few millimetres behind, settles onto it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.errors import ConfigError
from wm_core.limits import Limits

from .envelope import Envelope
from .interpolate import MAX_TICK_S, MIN_TICK_S, Glide, wanted_velocity
from .spatial import ZERO, Quat, Vec, add, euler, length, minus, quaternion, scaled, turn_between, turned

#: Clocks of two machines under NTP or PTP agree better than this; a stamp further in the future is a wrong clock.
FUTURE_S = 0.05
#: How far back measured states are kept, to find the pose at a plan's stamp. No plan may be older.
HISTORY_S = 2.0
#: A smaller gripper delta means "keep the gripper as it is", so that a grasp keeps squeezing.
GRIPPER_DEADBAND = 0.25

#: What can clip a step; the keys of :attr:`ControllerStatus.clipped`.
CLIPS = ("step", "box", "tilt", "speed", "accel", "leash")


@dataclass(frozen=True)
class ControllerConfig:
    """Configuration of the controller. Raises ConfigError where a value is out of its range."""

    rate_hz: float = 50.0  # how often the caller means to tick; MoveIt Servo wants 20 Hz, CRISP 50 to 100 Hz
    execute_steps: int = 1  # how many steps of a plan are executed before a newer plan must have come
    limits: Limits = field(default_factory=Limits)
    base_frame: str = "base"  # frame id that every pose must carry
    plan_max_age_s: float = 1.0  # a plan from an older frame is refused
    force_hold_n: float | None = None  # measured force that holds the arm while it lasts; None: do not look at it
    force_stop_n: float | None = None  # measured force that stops the arm for good; None: do not look at it

    def __post_init__(self) -> None:
        if not 20.0 <= self.rate_hz <= 1000.0:
            raise ConfigError(f"rate_hz = {self.rate_hz} is outside 20..1000")
        if self.execute_steps < 1:
            raise ConfigError(f"execute_steps = {self.execute_steps} must be at least 1")
        if not 0.0 < self.plan_max_age_s <= HISTORY_S:
            raise ConfigError(f"plan_max_age_s = {self.plan_max_age_s} is outside 0..{HISTORY_S}")
        for name in ("force_hold_n", "force_stop_n"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < math.inf:
                raise ConfigError(f"{name} = {value} must be a force in newton, or null")


@dataclass(frozen=True)
class Plan:
    """What the planner wants: deltas ``(H, 7)`` in m, rad (extrinsic xyz Euler) and gripper, each for one step."""

    stamp_s: float  # stamp of the frame that the plan was made from
    step_period_s: float
    deltas: NDArray[np.float64]


@dataclass(frozen=True)
class ArmState:
    """What the arm measures: TCP pose ``(6,)`` xyz (m) + extrinsic xyz Euler (rad), gripper 0 open .. 1 closed."""

    stamp_s: float
    pose: NDArray[np.float64]
    gripper: float
    wrench: NDArray[np.float64] | None = None  # (6,) N and Nm in the base frame


@dataclass(frozen=True)
class Command:
    """What to send to the arm. ``pose`` and ``gripper`` are None as long as nothing may be commanded."""

    pose: NDArray[np.float64] | None  # (6,) xyz + Euler of the TCP in the base frame
    gripper: float | None
    mode: str  # idle, running, holding or stopped
    reason: str  # why it is not running; "" when running


@dataclass(frozen=True)
class ControllerStatus:
    """For diagnostics. Ages are None before the first input."""

    mode: str
    reason: str
    state_age_s: float | None
    plan_age_s: float | None
    plans: int  # accepted
    refused_plans: int
    refused_states: int
    late_ticks: int  # ticks so late that the stream had to start again from rest
    clipped: dict[str, int]  # plan steps that each limit changed; "speed" and "accel": that cannot be made in time


@dataclass(frozen=True)
class _Measured:
    stamp_s: float
    position: Vec
    rotation: Quat
    gripper: float


@dataclass(frozen=True)
class _Step:
    """One executed step: where to be at ``end_s``, and the mean velocity of the step (m/s, rad/s)."""

    end_s: float
    position: Vec
    rotation: Quat
    gripper: float | None
    velocity: Vec
    turning: Vec
    clips: frozenset[str]


def _numbers(value: ArrayLike, shape: tuple[int | None, ...], name: str) -> tuple[list, str]:
    """The entries of an array as (nested) floats, or why they are not usable."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return [], f"{name} is not an array of numbers"
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("H" if n is None else str(n) for n in shape)
        return [], f"{name} has shape {array.shape} instead of ({wanted})"
    if not np.isfinite(array).all():
        return [], f"{name} is not finite"
    return array.tolist(), ""


class Controller:
    """See the module. Call :meth:`on_state` and :meth:`on_plan` as input comes, and :meth:`tick` at the rate."""

    def __init__(self, config: ControllerConfig) -> None:
        self.config = config
        self._limits = config.limits
        self._envelope = Envelope(config.limits)
        self._linear = Glide(config.limits.speed_m_s, config.limits.accel_m_s2)
        self._angular = Glide(config.limits.rot_speed_rad_s, config.limits.rot_accel_rad_s2)
        self._started = False
        self._stop_reason: str | None = None
        self._plans_from_s = -math.inf  # plans from before the last start or resume are stale
        # The commanded target; None until it could be seated at the measured pose.
        self._position: Vec | None = None
        self._rotation: Quat = (1.0, 0.0, 0.0, 0.0)
        self._gripper: float | None = None
        self._tick_s: float | None = None
        self._history: deque[_Measured] = deque()
        self._force_n: float | None = None  # None: the arm reports no wrench
        self._state_fault = ""
        self._plan_fault = ""
        self._steps: list[_Step] = []
        self._onward: list[_Step] = []
        self._index = -1  # of the step in execution; -1 before the first
        self._plan_stamp_s: float | None = None
        self._clipped = dict.fromkeys(CLIPS, 0)
        self._step_clips: set[str] = set()
        self._plans = self._refused_plans = self._refused_states = self._late_ticks = 0
        self._last = Command(None, None, "idle", "waiting for start")

    # ---------------------------------------------------------------- operator

    def start(self, now_s: float) -> str:
        """Leave idle. Returns what to tell the operator. A stopped controller needs :meth:`resume` instead."""
        if self._stop_reason is not None:
            return f"not started: {self._stop_reason}"
        if self._started:
            return "already started"
        self._started = True
        self._forget_plan(now_s)
        return "started"

    def stop(self, now_s: float, reason: str = "stopped by the operator") -> str:
        """Freeze the target, from this call on and until :meth:`resume`. Returns what to tell the operator."""
        del now_s
        if self._stop_reason is None:
            self._stop_reason = f"{reason}; call resume to go on"
        self._steps = []
        self._linear.rest()
        self._angular.rest()
        return self._stop_reason

    def resume(self, now_s: float) -> str:
        """Clear a stop. The arm moves again with the first plan made after this. Returns what to tell the operator."""
        if self._stop_reason is None:
            return "not stopped"
        self._stop_reason = None
        self._forget_plan(now_s)
        return "resumed; waiting for a fresh plan" if self._started else "stop cleared; waiting for start"

    def _forget_plan(self, now_s: float) -> None:
        self._steps = []
        self._plan_fault = ""
        self._plans_from_s = now_s

    # ------------------------------------------------------------------- input

    def on_state(self, state: ArmState, now_s: float) -> str:
        """Take a measured state. Returns why it was refused, or ""; a refusal holds the arm until a good one comes."""
        fault = self._take_state(state, now_s)
        if fault:
            return self.refuse_state(fault)
        self._state_fault = ""
        force_stop_n = self.config.force_stop_n
        if force_stop_n is not None and self._force_n is not None and self._started and self._force_n > force_stop_n:
            self.stop(now_s, f"contact force {self._force_n:.0f} N is above {force_stop_n:.0f} N")
        return ""

    def refuse_state(self, reason: str) -> str:
        """Hold because of a state that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_states += 1
        self._state_fault = reason
        return reason

    def _take_state(self, state: ArmState, now_s: float) -> str:
        pose, fault = _numbers(state.pose, (6,), "the measured pose")
        if fault:
            return fault
        force: list[float] | None = None
        if state.wrench is not None:
            force, fault = _numbers(state.wrench, (6,), "the measured wrench")
            if fault:
                return fault
        if not math.isfinite(state.gripper):
            return "the measured gripper is not finite"
        fault = self._stamp_fault("the arm state", state.stamp_s, now_s, self._limits.state_timeout_s)
        if fault:
            return fault
        newest = self._newest()
        if newest is not None and state.stamp_s < newest.stamp_s:
            return f"an arm state is {newest.stamp_s - state.stamp_s:.3f} s older than the one before it"
        x, y, z, roll, pitch, yaw = pose
        gripper = min(1.0, max(0.0, float(state.gripper)))
        self._history.append(_Measured(state.stamp_s, (x, y, z), quaternion(roll, pitch, yaw), gripper))
        while self._history[0].stamp_s < state.stamp_s - HISTORY_S:
            self._history.popleft()
        self._force_n = None if force is None else math.hypot(*force[:3])
        return ""

    def on_plan(self, plan: Plan, now_s: float) -> str:
        """Take a plan; it replaces the one in execution. Returns why it was refused, or "".

        A refused plan ends the one in execution too: whatever is wrong upstream, the arm waits for a good plan.
        """
        if self._stop_reason is not None:
            return self._stop_reason
        if not self._started:
            return "not started"
        fault = self._take_plan(plan, now_s)
        if fault:
            return self.refuse_plan(fault)
        self._plans += 1
        self._plan_fault = ""
        return ""

    def refuse_plan(self, reason: str) -> str:
        """Hold because of a plan that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_plans += 1
        self._plan_fault = reason
        self._steps = []
        return reason

    def _take_plan(self, plan: Plan, now_s: float) -> str:
        deltas, fault = _numbers(plan.deltas, (None, 7), "the plan")
        if fault:
            return fault
        if not deltas:
            return "the plan has no steps"
        if not 0.0 < plan.step_period_s < math.inf:
            return f"the plan's step period is {plan.step_period_s} s"
        fault = self._stamp_fault("the plan", plan.stamp_s, now_s, self.config.plan_max_age_s)
        if fault:
            return fault
        if plan.stamp_s < self._plans_from_s:
            return "the plan was made before the last start or resume"
        if self._steps and self._plan_stamp_s is not None and plan.stamp_s < self._plan_stamp_s:
            return f"the plan is {self._plan_stamp_s - plan.stamp_s:.3f} s older than the one before it"
        executed = min(len(deltas), self.config.execute_steps)
        late_s = now_s - (plan.stamp_s + executed * plan.step_period_s)
        if late_s > self._limits.plan_timeout_s:
            return f"the plan came {late_s:.2f} s after its last step should have ended"
        anchor = self._measured_at(plan.stamp_s)
        if anchor is None:
            return "no arm state is known for the time that the plan was made from"
        # One step more than is executed: its velocity tells how fast the last executed step may end.
        steps = list(self._targets(anchor, plan, deltas[: executed + 1]))
        self._steps, self._onward = steps[:executed], steps[executed:]
        self._index = -1
        self._plan_stamp_s = plan.stamp_s
        return ""

    def _targets(self, anchor: _Measured, plan: Plan, deltas: list[list[float]]) -> Iterator[_Step]:
        """The targets of a plan, within step limits, box and tilt cone; the gripper by the deadband rule."""
        position, rotation, gripper = anchor.position, anchor.rotation, anchor.gripper
        for k, (x, y, z, roll, pitch, yaw, close) in enumerate(deltas):
            turn = turn_between((0.0, 0.0, 0.0, 1.0), quaternion(roll, pitch, yaw))
            shift, turn, clipped = self._envelope.clip_step((x, y, z), turn)
            position, rotation = add(position, shift), turned(rotation, turn)
            inside, upright = self._envelope.clip_position(position), self._envelope.clip_rotation(rotation)
            moves = abs(close) >= GRIPPER_DEADBAND
            if moves:
                gripper = min(1.0, max(0.0, gripper + close))
            hits = {"step": clipped, "box": inside != position, "tilt": upright is not rotation}
            yield _Step(
                end_s=plan.stamp_s + (k + 1) * plan.step_period_s,
                position=inside,
                rotation=upright,
                gripper=gripper if moves else None,
                velocity=scaled(shift, 1 / plan.step_period_s),
                turning=scaled(turn, 1 / plan.step_period_s),
                clips=frozenset(name for name, hit in hits.items() if hit),
            )

    @staticmethod
    def _stamp_fault(what: str, stamp_s: float, now_s: float, max_age_s: float) -> str:
        age_s = now_s - stamp_s
        if not math.isfinite(age_s):
            return f"the stamp of {what} is not finite"
        if age_s < -FUTURE_S:
            return f"{what} is stamped {-age_s:.3f} s in the future; compare the clocks"
        if age_s > max_age_s:
            return f"{what} is {age_s:.2f} s old, more than {max_age_s:.2f} s"
        return ""

    def _newest(self) -> _Measured | None:
        return self._history[-1] if self._history else None

    def _measured_at(self, stamp_s: float) -> _Measured | None:
        """The measured state at a past time, interpolated; None if none was near."""
        later: _Measured | None = None
        for state in reversed(self._history):
            if state.stamp_s <= stamp_s:
                if later is None:
                    return state if stamp_s - state.stamp_s <= self._limits.state_timeout_s else None
                gap_s = later.stamp_s - state.stamp_s
                if gap_s > self._limits.state_timeout_s:
                    return None
                share = (stamp_s - state.stamp_s) / gap_s
                return _Measured(
                    stamp_s,
                    add(state.position, minus(later.position, state.position), share),
                    turned(state.rotation, scaled(turn_between(state.rotation, later.rotation), share)),
                    state.gripper + share * (later.gripper - state.gripper),
                )
            later = state
        return None

    # -------------------------------------------------------------------- tick

    def tick(self, now_s: float) -> Command:
        """The command for this moment. Call it at ``rate_hz``; uneven, late and repeated calls are harmless."""
        since_s = math.inf if self._tick_s is None else now_s - self._tick_s
        if since_s < -FUTURE_S:
            self._history.clear()
            self.refuse_plan(f"the clock went back by {-since_s:.2f} s")
            self._plans_from_s, self._plan_stamp_s = -math.inf, None
        if self._stop_reason is not None or not self._started:
            self._tick_s = now_s
            stopped = self._stop_reason is not None
            return self._command("stopped" if stopped else "idle", self._stop_reason or "waiting for start")
        if not math.isfinite(now_s):
            return self._command("holding", "the clock is not finite")
        seated = self._position is not None
        why = self._why_hold(now_s)
        if seated and 0.0 <= since_s < MIN_TICK_S:
            return self._command("holding" if why else "running", why)  # the same tick again
        self._tick_s = now_s
        if not seated:
            pass  # the stream begins with this command, if there is one
        elif 0.0 < since_s <= MAX_TICK_S:
            self._advance(now_s, since_s, holding=bool(why))
        else:
            # The arm has stopped at the last target meanwhile. Going on from rest keeps the target from jumping.
            self._late_ticks += 1
            self._linear.rest()
            self._angular.rest()
        return self._command("holding" if why else "running", why)

    def _why_hold(self, now_s: float) -> str:
        """The reason to hold, "" if there is none. Seats the target at the first usable measured pose."""
        if self._state_fault:
            return self._state_fault
        newest = self._newest()
        if newest is None:
            return "no arm state yet"
        if now_s - newest.stamp_s > self._limits.state_timeout_s:
            return f"no arm state for {now_s - newest.stamp_s:.2f} s"
        if self._position is None:
            fault = self._envelope.fault(newest.position, newest.rotation)
            if fault:
                return fault
            self._position, self._rotation, self._gripper = newest.position, newest.rotation, newest.gripper
        hold_n, stop_n = self.config.force_hold_n, self.config.force_stop_n
        if self._force_n is None and not (hold_n is None and stop_n is None):
            return "a force limit is set, but the arm reports no wrench"
        if hold_n is not None and self._force_n is not None and self._force_n > hold_n:
            return f"contact force {self._force_n:.0f} N is above {hold_n:.0f} N"
        if self._plan_fault:
            return self._plan_fault
        if not self._steps:
            return "waiting for a plan"
        overdue_s = now_s - self._steps[-1].end_s
        if overdue_s > self._limits.plan_timeout_s:
            return f"plan watchdog: the last plan ended {overdue_s:.2f} s ago"
        return ""

    def _advance(self, now_s: float, dt_s: float, holding: bool) -> None:
        """Move the commanded target by one tick: towards the step in execution, or to rest."""
        position, rotation, newest = self._position, self._rotation, self._newest()
        assert position is not None  # seated
        shift_want = turn_want = ZERO
        if not holding and newest is not None:
            step, following = self._step_at(now_s)
            goal, slack = self._envelope.leash_position(step.position, newest.position)
            aim, loose = self._envelope.leash_rotation(step.rotation, newest.rotation)
            if slack or loose:
                self._count("leash")
            left_s = step.end_s - (now_s - dt_s)
            shift_want = wanted_velocity(
                minus(goal, position),
                following.velocity if following else ZERO,
                left_s,
                self._linear.speed,
                self._linear.accel,
                dt_s,
            )
            turn_want = wanted_velocity(
                turn_between(rotation, aim),
                following.turning if following else ZERO,
                left_s,
                self._angular.speed,
                self._angular.accel,
                dt_s,
            )
            turn_want = self._envelope.slide(rotation, turn_want)
        # Without a state there is nothing to measure the leash from; then the target only comes to rest.
        leash_from, leash_turn = (newest.position, newest.rotation) if newest else (position, rotation)
        shift = self._linear.advance(
            shift_want, dt_s, lambda way: self._envelope.position_inside(position, way, leash_from)
        )
        turn = self._angular.advance(
            turn_want, dt_s, lambda way: self._envelope.rotation_inside(rotation, way, leash_turn)
        )
        if shift != ZERO:
            self._position = self._envelope.clip_position(add(position, shift))  # against rounding
        if turn != ZERO:
            self._rotation = turned(rotation, turn)

    def _step_at(self, now_s: float) -> tuple[_Step, _Step | None]:
        """The step in execution and the one after it. Begins steps as their time comes."""
        last = len(self._steps) - 1
        while self._index < 0 or (self._index < last and now_s > self._steps[self._index].end_s):
            self._index += 1
            self._begin(self._steps[self._index], now_s)  # also of a step that a hold has eaten: it may have a grasp
        step = self._steps[self._index]
        following = [*self._steps, *self._onward][self._index + 1 :]
        return step, following[0] if following and now_s < step.end_s else None

    def _begin(self, step: _Step, now_s: float) -> None:
        if step.gripper is not None:
            self._gripper = step.gripper
        self._step_clips = set()
        for clip in step.clips:
            self._count(clip)
        assert self._position is not None  # seated
        left_s = max(step.end_s - now_s, MIN_TICK_S)
        ways = minus(step.position, self._position), turn_between(self._rotation, step.rotation)
        for glide, way in zip((self._linear, self._angular), ways, strict=True):
            if length(way) > glide.speed * left_s:
                self._count("speed")
            elif length(minus(scaled(way, 1 / left_s), glide.velocity)) > glide.accel * left_s / 2:
                self._count("accel")

    def _count(self, clip: str) -> None:
        """Count a limit that changes the step in execution, once a step."""
        if clip not in self._step_clips:
            self._step_clips.add(clip)
            self._clipped[clip] += 1

    def _command(self, mode: str, reason: str) -> Command:
        if self._position is None:
            self._last = Command(None, None, mode, reason)
        else:
            pose = np.array((*self._position, *euler(self._rotation)))
            self._last = Command(pose, self._gripper, mode, reason)
        return self._last

    def status(self, now_s: float) -> ControllerStatus:
        """Modes, ages and counters at ``now_s``; the mode and reason are those of the last tick."""
        newest = self._newest()
        return ControllerStatus(
            mode=self._last.mode,
            reason=self._last.reason,
            state_age_s=None if newest is None else now_s - newest.stamp_s,
            plan_age_s=None if self._plan_stamp_s is None else now_s - self._plan_stamp_s,
            plans=self._plans,
            refused_plans=self._refused_plans,
            refused_states=self._refused_states,
            late_ticks=self._late_ticks,
            clipped=dict(self._clipped),
        )
