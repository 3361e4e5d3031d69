"""What the fuzzer is worth: each guard of the controller is taken out in turn, and the fuzzer has to notice.

``python -m wm_lab.fuzz --mutants`` plays sessions with each of MUTANTS until one of them is judged, and fails if
a mutant lives: then either the guard guards nothing, or nobody would see if it broke.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wm_controller import controller, interface, resumes, steps, supervisor, watch
from wm_controller.controller import Command, Controller
from wm_controller.envelope import Envelope
from wm_controller.following import Following
from wm_controller.inputs import Past, StampClock
from wm_controller.interpolate import Stream
from wm_controller.resumes import Resumes
from wm_controller.spatial import euler
from wm_controller.steps import Steps
from wm_controller.target import Target
from wm_controller.twist_law import TwistLaw
from wm_controller.watch import Watch
from wm_core.limits import Limits

from .session import Session

Function = Callable[..., Any]
#: Of what a replacement is made: the honest method or value that it stands in for.
Made = Callable[[Any], Any]


@dataclass(frozen=True)
class Mutant:
    """A guard that is taken out: ``of.name`` becomes ``made(of.name)``, for each of ``changes``."""

    guard: str
    changes: tuple[tuple[Any, str, Made], ...]

    @contextmanager
    def loose(self) -> Iterator[None]:
        """While the guard is out. Raises AttributeError for a guard that the controller does not have any more."""
        honest = [(of, name, vars(of).get(name)) for of, name, _ in self.changes]
        try:
            for of, name, made in self.changes:
                setattr(of, name, made(getattr(of, name)))
            yield
        finally:
            for of, name, kept in honest:
                if kept is None:
                    delattr(of, name)  # it was inherited
                else:
                    setattr(of, name, kept)


@dataclass(frozen=True)
class Verdict:
    """After how many sessions a mutant was found, by what; ``sessions`` is None if it lives."""

    guard: str
    sessions: int | None
    violation: str = ""


def hunt(mutant: Mutant, seed: int, most: int, ticks: int) -> Verdict:
    """Play up to ``most`` sessions from ``seed`` on with a mutant, until one is judged."""
    with mutant.loose():
        for k in range(most):
            if found := Session(seed + k).run(ticks).violations:
                return Verdict(mutant.guard, k + 1, next(iter(found)))
    return Verdict(mutant.guard, None)


def _is(value: Any) -> Made:
    return lambda honest: value


def _says(value: Any) -> Made:
    """A method that does nothing but return ``value``."""
    return lambda honest: lambda *args, **more: value


def _no_rest(honest: Function) -> Function:
    def forget_stamps(self: Controller, reason: str) -> None:
        honest(self, reason)
        self._due_rest = ""

    return forget_stamps


def _deaf(*sources: str) -> Made:
    """Controller.trouble that does not hear of ``sources``."""
    return lambda honest: (
        lambda self, source, reason, latch=False: None if source in sources else honest(self, source, reason, latch)
    )


def _table(mode: str, event: str, then: str) -> Made:
    """The supervisor's table with one other entry."""
    return lambda honest: {**honest, mode: {**honest[mode], event: then}}


def _keeps_gripper(honest: Function) -> Function:
    def begin(self: Controller, now_s: float) -> None:
        gripper = self._gripper
        honest(self, now_s)
        self._gripper, self._ran = gripper, gripper is not None

    return begin


def _talks(honest: Function) -> Function:
    def command(self: Controller) -> Command:
        c = honest(self)
        return Command(c.pose, None if c.pose is None else self._gripper, c.mode, c.reason)

    return command


def _closes_at_once(honest: Function) -> Function:
    def command(self: Controller) -> Command:
        self._seat = None
        return honest(self)

    return command


def _forgets_order(honest: Function) -> Function:
    def drop(self: Steps) -> None:
        honest(self)
        self.stamp_s = None

    return drop


def _ignores_old(honest: Function) -> Function:
    def on_robot(self: Watch, health: Any, now_s: float) -> str:
        old = now_s - health.stamp_s > self._config.limits.state_timeout_s
        return "" if old else honest(self, health, now_s)

    return on_robot


def _follows_on(honest: Function) -> Function:
    def twist(self: TwistLaw, pose6: Any, now_s: float, holding: bool = False) -> Any:
        return honest(self, pose6, now_s)

    return twist


def _latches_nothing(honest: Function) -> Function:
    return lambda self, source, reason, latch=False: honest(self, source, reason)


def _ends_no_stopped(honest: Function) -> Function:
    return lambda self, reason: None if self._supervisor.latched else honest(self, reason)


def _starts_anything(honest: Function) -> Function:
    def start(self: Controller, now_s: float) -> str:
        if self._supervisor.latched:
            self._supervisor.take("resume")
            self._begin_anew(now_s)
            return f"started run {self.run}"
        return honest(self, now_s)

    return start


def _starts_again(honest: Function) -> Function:
    return lambda self, now_s: "started" if self._supervisor.started else honest(self, now_s)


def _forgets_nothing(honest: Function) -> Function:
    return lambda self, from_s: honest(self, -math.inf)


def _believes_silence(honest: Function) -> Function:
    def tick(self: Controller, now_s: float) -> Command:
        if self._past.newest is not None:
            self._past._poses[-1] = replace(self._past.newest, stamp_s=now_s)
        return honest(self, now_s)

    return tick


def _counts_stalls(honest: Function) -> Function:
    def tick(self: Controller, now_s: float) -> Command:
        command = honest(self, now_s)
        self._awake_s = now_s
        return command

    return tick


def _only_whole(honest: Function) -> Function:
    return lambda components: honest(components) if all(map(math.isfinite, components)) else 0.0


def _takes_any_wrench(honest: Function) -> Function:
    def on_wrench(self: Watch, stamp_s: float, wrench: Any, now_s: float, unless: str) -> str:
        honest(self, stamp_s, wrench, now_s, unless)
        self._wrong["wrench"] = ""
        return ""

    return on_wrench


def _same(honest: Function) -> Function:
    return lambda self, place: place


def _slack(honest: Function) -> Function:
    return lambda self, goal, measured: (goal, False)


def _unleashed(honest: Function) -> Function:
    return lambda self, dt_s, measured, shift, turn: honest(self, dt_s, None, shift, turn)


def _looser(speed: float, accel: float, jerk: float) -> Made:
    return lambda honest: lambda self, v, a, j: honest(self, speed * v, accel * a, jerk * j)


def _wakes_resting(honest: Function) -> Function:
    def wake(self: Controller, since_s: float) -> None:
        self._target.rest()

    return wake


def _settles_unheard(honest: Function) -> Function:
    def settle(self: Controller, now_s: float) -> None:
        released = self._target.released
        honest(self, now_s)
        self._target.released &= released or bool(self._strayed())

    return settle


def _place(self: Target) -> Any:
    return None if self.position is None else np.array((*self.position, *euler(self.rotation)))


def _coasts(honest: Function) -> Function:
    def brake(self: Target, dt_s: float, measured: Any) -> None:
        linear, angular = self._linear.glide.velocity, self._angular.glide.velocity
        self._advance(dt_s, measured, lambda place: linear, lambda facing: angular)

    return brake


def _one(of: Any, name: str, made: Made, guard: str) -> Mutant:
    return Mutant(guard, ((of, name, made),))


_SLOTS = object.__setattr__

MUTANTS: tuple[Mutant, ...] = (
    # clocks
    _one(Controller, "trouble", _deaf("clock"), "a fault of the clock holds"),
    _one(StampClock, "_jump", _says(""), "a clock that is set is noticed"),
    _one(StampClock, "_standing", _says(""), "a clock that stands still is noticed"),
    _one(Controller, "_forget_stamps", _says(None), "no stamp from before the clock was set is believed"),
    _one(Controller, "_forget_stamps", _no_rest, "after a fault of the clock the arm comes to rest first"),
    _one(Controller, "_lose_patience", _says(None), "a long hold, or a suspended process, waits for a person"),
    # people
    _one(resumes, "RESUME_QUIET_S", _is(0.0), "no resume at once after a stop"),
    _one(resumes, "RESUME_APART_S", _is(0.0), "no resume that follows another at once"),
    _one(resumes, "RESUME_SILENCE_S", _is(0.0), "no resume by a program that repeats it"),
    _one(Resumes, "done", _says(None), "no resume soon after a stop that followed another one"),
    _one(Controller, "tick", _counts_stalls, "no resume that waited with the stop for a controller that was held up"),
    _one(supervisor, "TABLE", _table("idle", "stop", "idle"), "a stop latches when idle"),
    _one(supervisor, "TABLE", _table("holding", "stop", "holding"), "a stop latches in a hold"),
    _one(supervisor, "TABLE", _table("fault", "stop", "fault"), "a stop latches in a fault"),
    _one(supervisor, "TABLE", _table("stopped", "hold", "holding"), "nothing but resume leaves a stop"),
    _one(supervisor, "TABLE", _table("fault", "fine", "running"), "nothing but resume leaves a fault"),
    _one(Controller, "end_run", _says(None), "a run that ended does not go on"),
    _one(Controller, "end_run", _ends_no_stopped, "a run that ended while stopped does not go on"),
    _one(Controller, "start", _starts_anything, "a start clears no stop"),
    _one(Controller, "start", _starts_again, "what was started is not started again"),
    # the gripper
    _one(Controller, "_command", _talks, "the gripper hears nothing while not running"),
    _one(Controller, "_begin_anew", _keeps_gripper, "the gripper begins at what is measured"),
    _one(Controller, "_command", _closes_at_once, "the gripper hears what is measured before what is asked"),
    # who else is there
    _one(Controller, "trouble", _deaf("voices"), "a second voice holds"),
    _one(Controller, "trouble", _deaf("launcher"), "a lost launcher stops"),
    _one(Controller, "trouble", _latches_nothing, "what latches needs a resume"),
    # configuration
    Mutant(
        "a parameter cannot be set",
        ((interface.ControllerConfig, "__setattr__", _is(_SLOTS)), (Limits, "__setattr__", _is(_SLOTS))),
    ),
    _one(interface.ControllerConfig, "__post_init__", _says(None), "the configuration of the controller has ceilings"),
    _one(Limits, "__post_init__", _says(None), "limits have ceilings"),
    # plans
    _one(steps, "HORIZON_S", _is(math.inf), "no plan is followed for long"),
    _one(steps, "PERIOD_MAX_S", _is(math.inf), "no step of a plan is slow"),
    _one(steps, "PERIOD_MIN_S", _is(-math.inf), "no step of a plan is fast"),
    _one(steps, "_too_far", _says(""), "huge deltas are refused, not shortened"),
    _one(Steps, "drop", _forgets_order, "an old plan is refused the second time as well"),
    _one(
        Controller, "refuse_plan", lambda honest: lambda self, reason: reason, "a refused plan ends the one before it"
    ),
    _one(steps, "stamp_fault", _says(""), "a plan is of now"),
    _one(Steps, "forget", _forgets_nothing, "no plan from before a start or a resume is taken"),
    _one(Steps, "hold", _says(""), "a plan that has ended holds"),
    # the arm
    _one(Past, "jump", _says(""), "a pose that jumps is a fault"),
    _one(controller, "stamp_fault", _says(""), "a report of the arm is of now"),
    _one(Controller, "tick", _believes_silence, "an arm that falls silent holds"),
    _one(Watch, "on_wrench", _takes_any_wrench, "a wrench that is no number holds"),
    _one(Controller, "_take_gripper", _says(""), "a gripper that is no number holds"),
    _one(Watch, "_missing", _says(""), "joints and robot that fall silent hold"),
    _one(watch, "NODES", _is(()), "a node that falls silent holds"),
    _one(controller, "FIRST_PLAN_S", _is(math.inf), "a first plan that comes late waits for a person"),
    _one(Watch, "contact", _says(""), "contact is looked at"),
    _one(watch, "_at_least", _only_whole, "contact in a reading that is refused counts"),
    _one(
        Controller,
        "on_wrench",
        lambda honest: lambda self, *wrench: self._watch.on_wrench(*wrench, ""),
        "contact latches, however short",
    ),
    _one(Watch, "on_robot", _ignores_old, "an old report of an error counts"),
    _one(Following, "tick", _says(None), "an arm that does not follow holds"),
    _one(Envelope, "fault", _says(""), "an arm outside box and cone holds"),
    _one(Watch, "on_joints", _says(""), "joints near their ends hold"),
    # the envelope
    Mutant(
        "the target stays in the box",
        tuple((Envelope, name, made) for name, made in (("position_inside", _says(True)), ("clip_position", _same))),
    ),
    _one(Envelope, "rotation_inside", _says(True), "the target stays in the tilt cone"),
    Mutant(
        "the target stays on the leash",
        ((Envelope, "leash_position", _slack), (Envelope, "leash_rotation", _slack), (Target, "_advance", _unleashed)),
    ),
    _one(Stream, "__init__", _looser(1.2, 1.0, 1.0), "the target keeps its speed limit"),
    _one(Stream, "__init__", _looser(1.0, 1.2, 1.2), "the target keeps its limits of acceleration and jerk"),
    _one(Target, "brake", lambda honest: lambda self, dt_s, measured: self.rest(), "a hold brakes within the limits"),
    _one(Target, "brake", _coasts, "a hold comes to rest"),
    _one(Controller, "_settle", _settles_unheard, "an arm that is silent is not called anywhere"),
    _one(
        Controller, "_wake", _wakes_resting, "an arm that was moved while the controller was held up is not called back"
    ),
    _one(Target, "pose", lambda honest: property(_place), "an arm that was moved is not called back"),
    # the arm's port
    _one(TwistLaw, "twist", _follows_on, "a twist brakes in a hold"),
    _one(TwistLaw, "rest", lambda honest: lambda self, now_s: (self._linear, self._angular), "no target is no twist"),
    _one(TwistLaw, "stop", lambda honest: lambda self: (self._linear, self._angular), "a stop is a zero twist"),
)
