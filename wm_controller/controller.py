"""The controller core: plans and measured states in, one safe target pose per tick out.

Pure Python over floats; the caller passes the time in (seconds, any epoch, the same for stamps and ``now_s``), so that
the node, data generation and closed-loop evaluation run the very same code. A plan is a short sequence of 7-D deltas
from the measured pose at the plan's stamp (wm_core/pose.py); its first ``execute_steps`` are executed.

What is limited, in order of precedence: the box and the tilt cone are never left; then speed; then acceleration and
jerk; then the leash. All hold for the *interpolated* stream, tick by tick. What may end a motion (supervisor.py has the
table of it):

- bad input (not finite, wrong shape, stale or future stamp, wrong frame), a missing one, a clock that was set, contact,
  a joint near its end, a silent planner: the arm holds until all is well again;
- a measured pose that jumps, or a robot that reports an error: a fault, which only ``resume`` clears;
- ``stop`` latches: the target freezes at once, and only ``resume`` and then a plan made after it move the arm again.

A hold and a fault brake within the limits. A stop does not brake the target: it stands still from that tick on, and the
compliant arm, which is a few millimetres behind, settles onto it. While the robot itself says that it does not follow,
nothing is commanded at all; afterwards the target begins at the pose where the arm then is.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from wm_core.limits import CEILING
from wm_core.robot_health import RobotHealth

from .envelope import Envelope
from .inputs import Clock, Measured, Past, numbers, stamp_fault
from .interface import CLIPS, ArmState, Command, ControllerConfig, ControllerStatus, Plan
from .interpolate import MAX_TICK_S, MIN_TICK_S
from .spatial import quaternion
from .steps import Steps
from .supervisor import RUNNING, STOPPED, Supervisor
from .target import Target
from .watch import Watch

__all__ = ["CLIPS", "ArmState", "Command", "Controller", "ControllerConfig", "ControllerStatus", "Plan"]


class Controller:
    """See the module. Call the ``on_...`` methods as input comes, and :meth:`tick` at the rate."""

    def __init__(self, config: ControllerConfig) -> None:
        self.config = config
        self._limits = config.limits
        self._envelope = Envelope(config.limits)
        self._supervisor = Supervisor()
        self._steps = Steps(config, self._envelope)
        self._target = Target(config.limits, self._envelope)
        self._watch = Watch(config)
        self._past = Past(config.limits.state_timeout_s)
        self._clock = Clock()
        self._gripper: float | None = None
        self._state_fault = ""
        self._tick_s: float | None = None
        self._clipped = dict.fromkeys(CLIPS, 0)
        self._step_clips: set[str] = set()
        self._plans = self._refused_plans = self._refused_states = self._late_ticks = self._clock_jumps = 0

    # ---------------------------------------------------------------- operator

    def start(self, now_s: float) -> str:
        """Leave idle. Returns what to tell the operator. A stopped controller needs :meth:`resume` instead."""
        if self._supervisor.latched:
            return f"not started: {self._supervisor.reason}"
        if self._supervisor.started:
            return "already started"
        self._supervisor.take("start")
        self._steps.forget(now_s)
        return "started"

    def stop(self, now_s: float, reason: str = "stopped by the operator") -> str:
        """Freeze the target, from this call on and until :meth:`resume`. Returns what to tell the operator."""
        del now_s
        self._supervisor.take("stop", reason)
        self._steps.refuse("")
        self._target.rest()
        return self._supervisor.reason

    def resume(self, now_s: float) -> str:
        """Clear a stop or a fault, unless its cause is still there. Returns what to tell the operator.

        The arm moves again with the first plan made after this.
        """
        if not self._supervisor.latched:
            return "not stopped"
        if fault := self._still_wrong():
            return f"not resumed: {fault}"
        self._supervisor.take("resume")
        self._steps.forget(now_s)
        return "resumed; waiting for a fresh plan" if self._supervisor.started else "stop cleared; waiting for start"

    def _still_wrong(self) -> str:
        robot, newest = self._watch.robot, self._past.newest
        if robot is not None and robot.fault:
            return robot.fault
        if self._target.position is None or newest is None:
            return ""
        # Going on would pull the arm all the way to a target that it has left, or trust a pose that is not the arm's.
        metres, radians = self._target.distance(newest)
        if metres > CEILING["leash_m"] or radians > CEILING["leash_rad"]:
            return (
                f"the arm is measured {metres:.2f} m and {radians:.2f} rad away from where it is held; "
                "bring it back, or restart the controller where it is"
            )
        return ""

    # ------------------------------------------------------------------- input

    def on_state(self, state: ArmState, now_s: float) -> str:
        """Take a measured state. Returns why it was refused, or ""; a refusal holds the arm until a good one comes."""
        fault = self._take_state(state, now_s)
        if fault:
            return self.refuse_state(fault)
        self._state_fault = ""
        force_n, stop_n = self._watch.force_n, self.config.force_stop_n
        if stop_n is not None and force_n is not None and self._supervisor.started and force_n > stop_n:
            self.stop(now_s, f"contact force {force_n:.0f} N is above {stop_n:.0f} N")
        return ""

    def refuse_state(self, reason: str) -> str:
        """Hold because of a state that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_states += 1
        self._state_fault = reason
        return reason

    def _take_state(self, state: ArmState, now_s: float) -> str:
        pose, fault = numbers(state.pose, (6,), "the measured pose")
        if fault:
            return fault
        wrench: list[float] | None = None
        if state.wrench is not None:
            wrench, fault = numbers(state.wrench, (6,), "the measured wrench")
            if fault:
                return fault
        if not math.isfinite(state.gripper):
            return "the measured gripper is not finite"
        fault = stamp_fault("the arm state", state.stamp_s, now_s, self._limits.state_timeout_s)
        if fault:
            return fault
        newest = self._past.newest
        if newest is not None and state.stamp_s < newest.stamp_s:
            return f"an arm state is {newest.stamp_s - state.stamp_s:.3f} s older than the one before it"
        x, y, z, roll, pitch, yaw = pose
        gripper = min(1.0, max(0.0, float(state.gripper)))
        measured = Measured(state.stamp_s, (x, y, z), quaternion(roll, pitch, yaw), gripper)
        if jump := self._past.jump(measured):
            if self._supervisor.started:
                self._supervisor.take("fault", jump)
                return jump
            self._past.clear()  # idle or latched: whether the arm may go on from there is asked by resume
        self._past.add(measured)
        self._watch.on_wrench(wrench, now_s)
        return ""

    def on_plan(self, plan: Plan, now_s: float) -> str:
        """Take a plan; it replaces the one in execution. Returns why it was refused, or "".

        A refused plan ends the one in execution too: whatever is wrong upstream, the arm waits for a good plan.
        """
        if not self._supervisor.started:
            return self._supervisor.reason if self._supervisor.latched else "not started"
        facing = None if self._target.position is None else self._target.rotation
        fault = self._steps.take(plan, now_s, self._past, facing)
        if fault:
            return self.refuse_plan(fault)
        self._plans += 1
        return ""

    def refuse_plan(self, reason: str) -> str:
        """Hold because of a plan that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_plans += 1
        self._steps.refuse(reason)
        return reason

    def on_joints(self, stamp_s: float, joints_rad: ArrayLike, now_s: float) -> str:
        """Take measured joint positions ``(7,)``, rad. Returns why they hold the arm, or ""."""
        return self._watch.on_joints(stamp_s, joints_rad, now_s)

    def on_robot(self, health: RobotHealth, now_s: float) -> str:
        """Take a report of the robot. An error, a reflex or a user stop is a fault; returns it, or ""."""
        fault = self._watch.on_robot(health, now_s)
        if fault:
            self._supervisor.take("fault", fault)
        return fault

    def on_heartbeat(self, node: str, now_s: float) -> None:
        """The node "planner" or "encoder" is alive."""
        self._watch.on_heartbeat(node, now_s)

    # -------------------------------------------------------------------- tick

    def tick(self, now_s: float, steady_s: float | None = None) -> Command:
        """The command for this moment. Call it at ``rate_hz``; uneven, late and repeated calls are harmless.

        ``steady_s`` is a monotonic clock, to tell a late tick from a clock that was set; see :class:`.inputs.Clock`.
        """
        if not math.isfinite(now_s):
            self._supervisor.take("hold", "the clock is not finite")
            return self._command()
        if jump_s := self._clock.jump(now_s, steady_s):
            self._forget_clock(jump_s)
        since_s = math.inf if self._tick_s is None else now_s - self._tick_s
        moving = self._target.position is not None and self._supervisor.mode != STOPPED
        why = self._why_hold(now_s)
        self._supervisor.take("hold" if why else "fine", why)
        if 0.0 <= since_s < MIN_TICK_S:
            return self._command()  # the same tick again
        self._tick_s = now_s
        if not moving or self._target.position is None:
            pass  # the stream stands still; or it begins with this command, or has ended
        elif 0.0 < since_s <= MAX_TICK_S:
            self._advance(now_s, since_s)
        else:
            # The arm has stopped at the last target meanwhile. Going on from rest keeps the target from jumping.
            self._late_ticks += 1
            self._target.rest()
        return self._command()

    def _forget_clock(self, jump_s: float) -> None:
        """Stamps from before the clock was set say nothing now: begin again, from rest."""
        self._clock_jumps += 1
        self._past.clear()
        self._watch.forget()
        self._steps.forget_clock(f"the clock jumped by {jump_s:.2f} s")
        self._tick_s = None

    def _why_hold(self, now_s: float) -> str:
        """The reason to hold, "" if there is none. Begins and ends the stream."""
        robot, newest = self._watch.robot, self._past.newest
        if robot is not None and not robot.in_control:
            self._target.seat(None)
        if self._state_fault:
            return self._state_fault
        if newest is None:
            return "no arm state yet"
        if not now_s - newest.stamp_s <= self._limits.state_timeout_s:
            return f"no arm state for {now_s - newest.stamp_s:.2f} s"
        if watched := self._watch.hold(now_s):
            return watched
        if self._target.position is None and self._supervisor.started:
            if fault := self._envelope.fault(newest.position, newest.rotation):
                return fault
            self._target.seat(newest)
            self._gripper = newest.gripper if self._gripper is None else self._gripper
        return self._steps.hold(now_s)

    def _advance(self, now_s: float, dt_s: float) -> None:
        """Move the commanded target by one tick: towards the step in execution, or to rest."""
        newest = self._past.newest
        if self._supervisor.mode != RUNNING or newest is None:
            return self._target.brake(dt_s, newest)
        for step in self._steps.begun(now_s):
            if step.gripper is not None:
                self._gripper = step.gripper
            self._step_clips = set()
            self._count(step.clips | self._target.late(step, now_s))
        step, following = self._steps.at(now_s)
        if self._target.follow(dt_s, newest, step, following, step.end_s - (now_s - dt_s)):
            self._count(frozenset({"leash"}))

    def _count(self, clips: frozenset[str]) -> None:
        """Count limits that change the step in execution, each once a step."""
        for clip in clips - self._step_clips:
            self._clipped[clip] += 1
        self._step_clips |= clips

    def _command(self) -> Command:
        pose = self._target.pose
        return Command(pose, None if pose is None else self._gripper, self._supervisor.mode, self._supervisor.reason)

    def status(self, now_s: float) -> ControllerStatus:
        """Modes, ages and counters at ``now_s``; the mode and reason are those of the last tick."""
        newest, robot = self._past.newest, self._watch.robot
        return ControllerStatus(
            mode=self._supervisor.mode,
            reason=self._supervisor.reason,
            state_age_s=None if newest is None else now_s - newest.stamp_s,
            plan_age_s=None if self._steps.stamp_s is None else now_s - self._steps.stamp_s,
            plans=self._plans,
            refused_plans=self._refused_plans,
            refused_states=self._refused_states,
            late_ticks=self._late_ticks,
            clock_jumps=self._clock_jumps,
            joint_margin_rad=self._watch.margin_rad,
            condition=self._watch.condition,
            robot_mode=None if robot is None else robot.mode,
            clipped=dict(self._clipped),
        )
