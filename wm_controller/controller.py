"""The controller core: plans and measured states in, one safe target pose per tick out.

Pure Python over floats. All times are seconds of one steady clock, stamps included; the caller passes them in (any
epoch), so that the node, data generation and closed-loop evaluation run the very same code. A plan is a short sequence
of 7-D deltas from the measured pose at the plan's stamp (wm_core/pose.py); its first ``execute_steps`` are executed.

What is limited, in order of precedence: the box and the tilt cone are never left; then speed; then acceleration and
jerk; then the leash. All hold for the *interpolated* stream, tick by tick. What may end a motion (supervisor.py has the
table of it):

- bad input (not finite, wrong shape, stale or future stamp, wrong frame), a missing one, a clock that was set, a joint
  near its end, a silent planner, an arm outside box and cone or one that does not follow: the arm holds until all is
  well again, but no longer than HOLD_PATIENCE_S. Then it is stopped;
- contact, and whatever the caller latches: the arm brakes, then it is stopped;
- a measured pose that jumps, or a robot that reports an error: a fault, which only ``resume`` clears;
- ``stop`` latches: the target freezes at once, and only ``resume`` and then a plan made after it move the arm again;
- ``end_run``: the arm brakes, then it is idle, and only ``start`` begins another run.

A hold and a fault brake within the limits. A stop does not brake the target: it stands still from that tick on, and the
compliant arm, which is a few millimetres behind, settles onto it. While the robot itself says that it does not follow,
nothing is commanded at all; afterwards the target begins at the pose where the arm then is. Nothing is commanded either
where the arm ought to rest and is silent, or is measured elsewhere: somebody may have switched it off and moved it, and
a target would pull it back as soon as it is switched on. The gripper is commanded while running only, and after a start
or a resume first to its measured value.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable

from numpy.typing import ArrayLike

from wm_core.limits import CEILING, OUTSIDE_SLACK_M, OUTSIDE_SLACK_RAD
from wm_core.reports import Mode
from wm_core.robot_health import RobotHealth

from .envelope import Envelope
from .following import METRES, RADIANS, Following
from .inputs import STAMP_BLUR_S, Measured, Past, numbers, stamp_fault
from .interface import (
    CLIPS,
    FIRST_PLAN_S,
    HELD_UP_S,
    HOLD_PATIENCE_S,
    ArmState,
    Command,
    ControllerConfig,
    ControllerStatus,
    Plan,
)
from .interpolate import MAX_TICK_S, MIN_TICK_S
from .resumes import Resumes
from .spatial import quaternion
from .steps import Steps
from .supervisor import Supervisor
from .target import Target
from .watch import Watch

__all__ = ["CLIPS", "ArmState", "Command", "Controller", "ControllerConfig", "ControllerStatus", "Plan"]


class Controller:
    """See the module. Call the ``on_...`` methods as input comes, and :meth:`tick` at the rate.

    Args:
        config: limits, and what is watched.
        new_run: makes the id of a run, 8 hex characters.
        moves: whether the targets move the arm. Where they do not (a dry run) it need not follow them, and a person may
            carry it elsewhere.

    Attributes:
        run: id of the run in progress; while idle, of the next one.
    """

    def __init__(
        self,
        config: ControllerConfig,
        new_run: Callable[[], str] = lambda: secrets.token_hex(4),
        moves: bool = True,
    ) -> None:
        self.config = config
        self._new_run, self._moves = new_run, moves
        self.run = new_run()
        self._limits = config.limits
        self._envelope = Envelope(config.limits)
        self._supervisor = Supervisor()
        self._steps = Steps(config, self._envelope)
        self._target = Target(config.limits, self._envelope)
        self._following = Following(config.limits)
        self._watch = Watch(config)
        self._past = Past(config.limits.state_timeout_s)
        self._gripper: float | None = None
        self._seat: float | None = None  # of the gripper; until it was commanded once
        self._told: float | None = None  # the gripper's last command since the last start or resume
        self._troubles: dict[str, tuple[str, bool]] = {}  # by source: why it is not usable, and whether that latches
        self._clock_fault = ""  # the last one; until there is a plan from after it
        self._due_stop = self._due_end = ""  # why the arm is to be stopped, or the run to end, as soon as it is at rest
        self._due_rest = ""  # why the arm has to come to rest before it may go on
        self._ended = False  # the run, while the arm brakes for it or is stopped
        self._tick_s: float | None = None
        self._resumes = Resumes()
        self._awake_s = 0.0  # how long it has run, without the times in which it was held up
        self._latched = -math.inf, 0.0  # the last stop or fault: when, and by the time awake
        self._still_s = -math.inf  # since when it does not run
        self._ran = False  # since the last start or resume
        self._clipped = dict.fromkeys(CLIPS, 0)
        self._step_clips: set[str] = set()
        self._plans = self._refused_plans = self._refused_states = self._late_ticks = self._clock_faults = 0

    # ---------------------------------------------------------------- operator

    def start(self, now_s: float, unless: str = "") -> str:
        """Begin a run. Returns what to tell the operator. A stopped controller needs :meth:`resume` instead.

        ``unless``: why the caller does not want it to, as a sentence.
        """
        if self._supervisor.latched:
            return f"not started: {self._supervisor.reason}"
        if self._ended:
            return f"not started: run {self.run} is still coming to rest; call start again"
        if self._supervisor.started:
            return "not started: already running"
        if fault := unless or self._still_wrong():
            return f"not started: {fault}"
        self._supervisor.take("start")
        self._begin_anew(now_s)
        return f"started run {self.run}"

    def stop(self, now_s: float, reason: str = "stopped by the operator") -> str:
        """Freeze the target, from this call on and until :meth:`resume`. Returns what to tell the operator."""
        self._supervisor.take("stop", reason)
        self._latched = now_s, self._awake_s
        self._steps.drop()
        self._target.rest()
        self._due_stop = ""
        return self._supervisor.reason

    def resume(self, now_s: float, unless: str = "") -> str:
        """Clear a stop or a fault, unless its cause is still there. Returns what to tell the operator.

        The arm moves again with the first plan made after this. A stop wins over every resume that comes with it, and
        over a program that repeats it (resumes.py): so each call must come here, also one that the caller refuses.

        ``unless``: why the caller does not want it to, as a sentence.
        """
        latched = self._supervisor.latched
        latched_s, latched_awake_s = self._latched
        quiet_s = self._awake_s - latched_awake_s
        refused = self._resumes.refuse(now_s, latched_s if latched else None, quiet_s)
        rests = self._target.position is not None and not self._ended
        silent = self._no_state(now_s) if rests else ""  # who knows where it is then?
        if latched and (fault := unless or self._still_wrong() or silent):
            return f"not resumed: {fault}"
        if refused:
            return refused
        self._supervisor.take("resume")
        self._resumes.done(now_s)
        self._begin_anew(now_s)
        if self._supervisor.started:
            return "resumed; waiting for a fresh plan"
        self._go_idle()
        return "stop cleared; waiting for start"

    def end_run(self, reason: str) -> None:
        """End the run in progress: brake, then go idle. A run that is stopped stays so; then resume leads to idle."""
        if not self._supervisor.in_run:
            return
        self._ended = True
        self._steps.drop()
        if self._supervisor.latched:
            self._supervisor.take("end", reason)
        else:
            self._due_end = reason

    def _begin_anew(self, now_s: float) -> None:
        """What was due is forgotten: plans from before, what the gripper was to do, and that the arm did not follow."""
        self._steps.forget(now_s)
        self._following.reset()
        self._troubles.pop("plan", None)
        self._gripper = self._seat = self._told = None
        self._ran, self._still_s, self._clock_fault = False, now_s, ""

    def _go_idle(self) -> None:
        self._target.seat(None)
        self._due_end = ""
        if self._ended:
            self._ended, self.run = False, self._new_run()

    def _still_wrong(self) -> str:
        """Why neither a start nor a resume would be heeded now, as a sentence; "" if it would."""
        robot = self._watch.robot
        if robot is not None and not robot.in_control:  # else the arm would set off when somebody activates it
            return robot.fault if robot.fault else robot.hold
        for reason, latches in self._troubles.values():
            if latches:
                return reason
        if self._ended:
            return ""
        if contact := self._watch.contact("hold"):
            return f"{contact}; free the arm, or tell its driver what it carries"
        return self._strayed() if self._moves else ""

    def _strayed(self) -> str:
        """That the arm has left its target, as a sentence; "" if it has not.

        Going on would pull it all the way back, or trust a pose that is not the arm's.
        """
        newest = self._past.newest
        if newest is None or self._target.position is None:
            return ""
        metres, radians = self._target.distance(newest)
        if metres <= CEILING["leash_m"] + OUTSIDE_SLACK_M and radians <= CEILING["leash_rad"] + OUTSIDE_SLACK_RAD:
            return ""
        return (
            f"the arm is measured {metres:.2f} m and {radians:.2f} rad away from where it is held; "
            "bring it back, or restart the controller where it is"
        )

    def _lost(self, now_s: float) -> bool:
        """Whether nobody knows that the arm is still where it rests."""
        if not self._moves or self._target.position is None:
            return False
        if self._no_state(now_s) or self._strayed() or self._following.fault:
            return True
        # A hold that may end at any moment gives one that is pushed a second, until it is said not to follow.
        return self._supervisor.latched and self._moved()

    def _moved(self) -> bool:
        """Whether the arm is further from its target than friction explains."""
        if self._past.newest is None or self._target.position is None:
            return False
        metres, radians = self._target.distance(self._past.newest)
        return metres > METRES.away or radians > RADIANS.away

    def unready(self, now_s: float) -> str:
        """Why a start would be refused now, or would hold at once, as a sentence; "" if only a plan is missing."""
        return self._still_wrong() or self._missing(now_s)

    # ------------------------------------------------------------------- input

    def trouble(self, source: str, reason: str, latch: bool = False) -> None:
        """Hold because a named input is not usable, until the same source is cleared with the reason "".

        Args:
            source: "pose", "gripper", "wrench", "joints", "robot", "plan", "clock", "voices", "launcher", ...
            reason: one sentence; "" clears. After a fault of the clock no stamp from before is believed, and the arm
                comes to rest before it goes on.
            latch: once the arm is at rest it is stopped, so that only ``resume`` goes on.
        """
        if not reason:
            self._troubles.pop(source, None)
            return
        if source == "clock":
            self._forget_stamps(reason)
        elif source == "plan":
            self._steps.drop()
        self._troubles[source] = reason, latch
        if latch:
            self._stop_at_rest(reason)

    def _stop_at_rest(self, reason: str) -> None:
        if self._supervisor.started and not self._due_stop:
            self._due_stop = reason

    def _forget_stamps(self, reason: str) -> None:
        """Stamps from before the clock was set say nothing now; braking needs none."""
        self._clock_faults += "clock" not in self._troubles
        # Plans from after it may come at once; what moves by the time from before comes to rest first.
        self._clock_fault = self._due_rest = reason
        now_s = -math.inf if self._tick_s is None else self._tick_s
        self._past.forget_stamps()
        self._watch.forget_stamps()
        self._steps.forget(now_s)

    def on_state(self, state: ArmState, now_s: float) -> str:
        """Take a measured state. Returns why it was refused, or ""; a refusal holds the arm until a good one comes.

        Pose and gripper are two inputs: a fault of one stays until that one is well again.
        """
        gripper, pose = self._take_gripper(state), self._take_pose(state, now_s)
        self._refused_states += bool(pose or gripper)
        return pose or gripper

    def refuse_state(self, reason: str) -> str:
        """Hold because of a state that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_states += 1
        self.trouble("pose", reason)
        return reason

    def on_wrench(self, stamp_s: float, wrench: ArrayLike, now_s: float, unless: str = "") -> str:
        """Take a measured wrench ``(6,)``, N and Nm in the base frame. Returns why it was refused, or "".

        Each is judged when it comes: a touch may be over before the next tick, or the next pose. One that is refused
        may show contact all the same.

        ``unless``: why the caller refuses it, as a sentence.
        """
        fault = self._watch.on_wrench(stamp_s, wrench, now_s, unless)
        if self._supervisor.started:
            if contact := self._watch.contact("stop"):
                self.stop(now_s, contact)
            elif contact := self._watch.contact("hold"):
                self._stop_at_rest(contact)
        return fault

    def _take_gripper(self, state: ArmState) -> str:
        fault = "" if math.isfinite(state.gripper) else "the measured gripper is not finite; see what sends it"
        # Not "gripper": that is for the caller, who may pass on the last good value of a gripper that is in trouble.
        self.trouble("state gripper", fault)
        return fault

    def _take_pose(self, state: ArmState, now_s: float) -> str:
        fault = self._measure(state, now_s)
        self.trouble("pose", fault)
        return fault

    def _measure(self, state: ArmState, now_s: float) -> str:
        pose, fault = numbers(state.pose, (6,), "the measured pose")
        fault = fault or stamp_fault("the arm state", state.stamp_s, now_s, self._limits.state_timeout_s)
        if fault:
            return fault
        newest, stamp_s = self._past.newest, state.stamp_s
        if newest is not None and stamp_s < newest.stamp_s:
            if stamp_s < newest.stamp_s - STAMP_BLUR_S:
                older_s = newest.stamp_s - stamp_s
                return f"an arm state is {older_s:.3f} s older than the one before it; see who else sends it"
            stamp_s = newest.stamp_s
        if math.isfinite(state.gripper):
            gripper = min(1.0, max(0.0, float(state.gripper)))
        elif newest is not None:
            gripper = newest.gripper
        else:
            return "the measured gripper is not finite; see what sends it"
        x, y, z, roll, pitch, yaw = pose
        measured = Measured(stamp_s, (x, y, z), quaternion(roll, pitch, yaw), gripper)
        if jump := self._past.jump(measured):
            if self._supervisor.started:
                self._fault(jump, now_s)
                return jump
            self._past.clear()  # idle or latched: whether the arm may go on from there is asked by resume
        self._past.add(measured)
        return ""

    def _fault(self, reason: str, now_s: float) -> None:
        if self._supervisor.started:
            self._latched = now_s, self._awake_s
        self._supervisor.take("fault", reason)

    def on_plan(self, plan: Plan, now_s: float) -> str:
        """Take a plan; it replaces the one in execution. Returns why it was refused, or "".

        A refused plan ends the one in execution too: whatever is wrong upstream, the arm waits for a good plan.
        """
        if not self._supervisor.started:
            return self._supervisor.reason if self._supervisor.latched else "not started"
        if self._ended:
            return f"run {self.run} has ended; call start"
        facing = None if self._target.position is None else self._target.rotation
        fault = self._steps.take(plan, now_s, self._past, facing)
        if fault:
            return self.refuse_plan(fault)
        self.trouble("plan", "")
        self._following.replan()
        self._clock_fault = ""
        self._plans += 1
        return ""

    def refuse_plan(self, reason: str) -> str:
        """Hold because of a plan that the caller cannot use (another frame id, say), until a good one comes."""
        self._refused_plans += 1
        self.trouble("plan", reason)
        return reason

    def on_joints(self, stamp_s: float, joints_rad: ArrayLike, now_s: float) -> str:
        """Take measured joint positions ``(7,)``, rad. Returns why they hold the arm, or ""."""
        return self._watch.on_joints(stamp_s, joints_rad, now_s)

    def on_robot(self, health: RobotHealth, now_s: float) -> str:
        """Take a report of the robot. An error, a reflex or a user stop is a fault; returns it, or ""."""
        fault = self._watch.on_robot(health, now_s)
        if fault:
            self._fault(fault, now_s)
        return fault

    def on_heartbeat(self, node: str, now_s: float) -> None:
        """A node, named after its role, is alive."""
        self._watch.on_heartbeat(node, now_s)

    # -------------------------------------------------------------------- tick

    def tick(self, now_s: float) -> Command:
        """The command for this moment. Call it at ``rate_hz``; uneven, late and repeated calls are harmless."""
        if not math.isfinite(now_s):
            self._supervisor.take("hold", "the clock is not finite; restart the controller")
            return self._command()
        since_s = math.inf if self._tick_s is None else now_s - self._tick_s
        if not 0.0 <= since_s <= MAX_TICK_S:
            self._wake(since_s)
        moving = self._target.position is not None and self._supervisor.mode != Mode.STOPPED
        released = self._target.released
        self._lose_patience(now_s, since_s)
        why = self._why_hold(now_s)
        self._supervisor.take("hold" if why else "fine", why)
        self._settle(now_s)
        if 0.0 <= since_s < MIN_TICK_S:
            return self._command()  # the same tick again
        self._tick_s = now_s
        self._awake_s += min(max(0.0, since_s), HELD_UP_S)
        # Else the stream stands still, begins with this command, has ended, or begins again after a pause.
        goes_on = moving and self._target.position is not None and not (released or self._target.released)
        if goes_on and 0.0 < since_s <= MAX_TICK_S:
            self._advance(now_s, since_s)
        return self._command()

    def _wake(self, since_s: float) -> None:
        """A tick is late, or the first: the arm has stopped at the last target meanwhile, and may have been moved."""
        if self._target.position is None:
            return
        self._late_ticks += self._supervisor.mode != Mode.STOPPED
        self._target.rest()  # going on from there keeps the target from jumping
        self._target.released |= self._moves and since_s > HELD_UP_S

    def _why_hold(self, now_s: float) -> str:
        """The reason to hold, "" if there is none. Begins and ends the stream."""
        robot, newest = self._watch.robot, self._past.newest
        if robot is not None and not robot.in_control:
            self._target.seat(None)
        if due := self._due_stop or self._due_end or self._due_rest:
            return due
        if missing := self._missing(now_s):
            return missing
        assert newest is not None  # else it is missing
        if self._supervisor.started:
            seated = self._target.position is not None
            slack = (OUTSIDE_SLACK_M, OUTSIDE_SLACK_RAD) if seated else (0.0, 0.0)
            if fault := self._envelope.fault(newest.position, newest.rotation, *slack):
                return fault
            if self._moves and (fault := self._following.fault):
                return fault
            if self._moves and (strayed := self._strayed()):
                return f"the arm does not follow: {strayed}"
            if not seated:
                self._target.seat(newest)
                self._following.reset()
            elif self._target.released:
                self._target.released = False
                if self._moved():
                    self._target.seat_inside(newest)
                    self._following.reset()
        if not self._ran:
            self._gripper = self._seat = newest.gripper  # somebody may have opened the hand meanwhile
        waiting = self._troubles["plan"][0] if "plan" in self._troubles else self._steps.hold(now_s)
        return waiting and (self._clock_fault or waiting)

    def _missing(self, now_s: float) -> str:
        """What no motion can do without, as a sentence; "" if all is there."""
        # First the clock: by one that is off, every stamp looks wrong. A plan is the least of them: no other makes one.
        for source in ("clock", *self._troubles):
            if source != "plan" and source in self._troubles:
                return self._troubles[source][0]
        return self._no_state(now_s) or self._watch.hold(now_s)

    def _no_state(self, now_s: float) -> str:
        """That nothing is known of the arm now, as a sentence; "" if something is."""
        newest = self._past.newest
        if newest is None:
            return self._clock_fault or "no arm state yet; start the arm's driver"
        if now_s - newest.stamp_s <= self._limits.state_timeout_s:
            return ""
        return f"no arm state for {now_s - newest.stamp_s:.2f} s; see whether the arm's driver still runs"

    def _lose_patience(self, now_s: float, since_s: float) -> None:
        """Stop an arm that was still for so long that nobody expects it to move: it was held, or nobody called tick."""
        if not self._supervisor.started:
            return
        still_s = now_s - self._still_s
        if not still_s <= (HOLD_PATIENCE_S if self._ran else FIRST_PLAN_S):
            suspended = since_s > HOLD_PATIENCE_S or not self._supervisor.reason
            said = f"the controller was suspended for {min(since_s, still_s):.1f} s"
            self._stop_at_rest(said if suspended else self._supervisor.reason)

    def _settle(self, now_s: float) -> None:
        """Note whether it runs, and do what was due as soon as the arm is at rest."""
        running = self._supervisor.mode == Mode.RUNNING
        self._ran |= running
        if running or not self._supervisor.started:
            self._still_s = now_s
        if self._due_stop and (self._supervisor.latched or self._target.resting):
            if self._supervisor.started:
                self.stop(now_s, self._due_stop)
            self._due_stop = ""
        if self._due_end and (self._supervisor.latched or self._target.resting):
            if self._supervisor.take("end", self._due_end) == Mode.IDLE:
                self._go_idle()
            self._due_end = ""
        if self._target.resting:
            self._due_rest = ""
            self._target.released |= not running and self._lost(now_s)

    def _advance(self, now_s: float, dt_s: float) -> None:
        """Move the commanded target by one tick: towards the step in execution, or to rest."""
        newest, running = self._past.newest, self._supervisor.mode == Mode.RUNNING
        if running and newest is not None:
            self._follow(now_s, dt_s, newest)
        else:
            self._target.brake(dt_s, newest)
        assert self._target.position is not None  # it moves
        self._following.tick(now_s, dt_s, running, (self._target.position, self._target.rotation), newest)

    def _follow(self, now_s: float, dt_s: float, newest: Measured) -> None:
        for step in self._steps.begun(now_s):
            self._following.ask(step)
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
        mode, gripper = self._supervisor.mode, None
        if mode == Mode.RUNNING:
            # First the measured value, whatever the first step wants: a gripper acts on changes, and takes the first
            # value for what it is doing already.
            gripper, self._seat = (self._gripper if self._seat is None else self._seat), None
            self._told = gripper
        elif self._told is not None:
            self._gripper = self._told  # what a step asked for and a hold kept back is asked by no plan after it
        return Command(self._target.pose, gripper, mode, self._supervisor.reason)

    def status(self, now_s: float) -> ControllerStatus:
        """Modes, ages and counters at ``now_s``; the mode and reason are those of the last tick."""
        newest, robot = self._past.newest, self._watch.robot
        return ControllerStatus(
            mode=self._supervisor.mode,
            reason=self._supervisor.reason,
            run=self.run,
            state_age_s=None if newest is None else now_s - newest.stamp_s,
            plan_age_s=None if self._steps.stamp_s is None else now_s - self._steps.stamp_s,
            plans=self._plans,
            refused_plans=self._refused_plans,
            refused_states=self._refused_states,
            late_ticks=self._late_ticks,
            clock_faults=self._clock_faults,
            joint_margin_rad=self._watch.margin_rad,
            condition=self._watch.condition,
            robot_mode=None if robot is None else robot.mode,
            clipped=dict(self._clipped),
        )
