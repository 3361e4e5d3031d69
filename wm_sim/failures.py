"""How a real arm fails: which failures are on, what each does, and the way back. No ROS, no physics, one steady clock.

Each failure is a *kind* of :data:`KINDS`. It is described by a :class:`Failure`, begun and ended by :class:`Failures`,
and felt by :class:`Robot` (mode, error flags and a person's recovery), :class:`Fingers` and :class:`Wire`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from wm_core.errors import ConfigError, quoted

M = TypeVar("M")

#: What the value of a failure means that has none.
NOTHING = ""


@dataclass(frozen=True)
class Kind:
    """What ``value`` means, its default, and the least and most that it may be."""

    means: str = NOTHING
    value: float = 0.0
    least: float = 0.0
    most: float = 0.0


KINDS: dict[str, Kind] = {
    # The robot.
    "reflex": Kind(),  # mode REFLEX with error flags, brakes shut; only a person's recovery ends it
    "user_stopped": Kind(),  # the user stop is pressed as long as it lasts, then recovery is due
    "commands_lost": Kind("the share of control commands that the robot receives", 0.5, 0.0, 1.0),
    # The controller that runs on it.
    "controller_inactive": Kind(),  # it listens and ignores what it hears
    "controller_gone": Kind(),  # nobody subscribes to the targets any more
    "blocked": Kind("the force in N that the arm reports against its pull", 0.0, 0.0, 100.0),
    "lag": Kind("the time constant in s with which the targets are followed", 0.2, 0.0, 1.0),
    "friction": Kind("by how many metres the arm stays short of its target", 0.005, 0.0, 0.2),
    # Load over stiffness. The pull is clipped: from the clip on (0.01 m) the arm goes down and is not held by anything.
    "sinks": Kind("the load that gravity compensation lacks, in metres that the impedance gives way", 0.012, 0.0, 0.05),
    # The hand.
    "gripper_slow": Kind("seconds from open to closed", 6.0, 0.1, 600.0),
    "gripper_aborted": Kind("the share of the way after which each motion ends", 0.5, 0.0, 1.0),
    "gripper_lost": Kind(),  # commands do not arrive
    "gripper_stuck": Kind(),  # commands arrive and the fingers stand
    # What is reported.
    "state_drops": Kind("the share of messages that arrive", 0.1, 0.0, 1.0),
    "state_stutters": Kind("seconds of silence, after which all that was held back comes at once", 0.3, 0.0, 10.0),
    "state_freezes": Kind(),  # the last values again and again, each with a fresh stamp
    "clock_off": Kind("seconds that the arm's clock is ahead of this machine's; negative: behind", -2.0, -1e6, 1e6),
}
#: Ends every failure that is on.
NONE = "none"

#: Names of franka_msgs/Errors that a reflex by contact sets.
REFLEX_ERRORS = ("cartesian_reflex",)
#: A person's way back from a reflex or a user stop (franka_ros2), in this order; nothing of it happens by itself.
RECOVERY = ("error_recovery", "activate_hardware", "switch_controllers")
#: Messages that a stuttering wire holds back at most: 10 s at 250 Hz.
HELD_BACK = 2500


@dataclass(frozen=True)
class Failure:
    """One failure to come. Raises ConfigError, naming key and value, where it makes no sense.

    Attributes:
        kind: one of :data:`KINDS`, or "none" for the end of all.
        value: see the kind; None: its default.
        after_s: when it begins, seconds from now.
        for_s: how long it lasts; None: until "none".
    """

    kind: str = NONE
    value: float | None = None
    after_s: float = 0.0
    for_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind != NONE and self.kind not in KINDS:
            raise ConfigError(f"the failure {quoted(self.kind)} is not one of {NONE}, {', '.join(KINDS)}")
        kind = KINDS.get(self.kind, Kind())
        if self.value is not None and kind.means == NOTHING:
            raise ConfigError(f"the failure '{self.kind}' takes no value")
        if self.value is not None and not kind.least <= self.value <= kind.most:
            bounds = f"{kind.least:g}..{kind.most:g}"
            raise ConfigError(f"the value {self.value} of '{self.kind}' is outside {bounds}: it means {kind.means}")
        for name, seconds in (("after_s", self.after_s), ("for_s", self.for_s)):
            if seconds is not None and not (0.0 <= seconds < math.inf):
                raise ConfigError(f"{name} = {seconds} of '{self.kind}' is not a time from now on in s")
        if self.kind == "reflex" and self.for_s is not None:
            raise ConfigError("a reflex lasts until a person recovers the robot: leave out for_s")

    @property
    def strength(self) -> float:
        """``value``, or the default of the kind."""
        return KINDS[self.kind].value if self.value is None else self.value


class Robot:
    """The robot's mode, and whether it follows what it is sent. Attributes as in :class:`wm_core.RobotHealth`."""

    def __init__(self) -> None:
        self.errors: tuple[str, ...] = ()
        self._pressed = False
        self._recovered = len(RECOVERY)  # steps done

    @property
    def mode(self) -> str:
        if self._pressed:
            return "USER_STOPPED"
        return "REFLEX" if self.errors else "MOVE" if self.follows else "IDLE"

    @property
    def follows(self) -> bool:
        """Whether a controller moves it: not from a reflex or a stop on until the last step of the recovery."""
        return not self._pressed and self._recovered == len(RECOVERY)

    def reflex(self) -> None:
        self.errors, self._recovered = REFLEX_ERRORS, 0

    def press(self, pressed: bool) -> None:
        """The user stop; pressed or released."""
        if pressed and not self._pressed:
            self._recovered = 0
        self._pressed = pressed

    def recover(self, step: str) -> str:
        """One step of :data:`RECOVERY`. Returns why it does nothing, or ""."""
        number = RECOVERY.index(step)
        if self._pressed:
            return "the user stop is pressed: release it first"
        if number > self._recovered:
            return f"{RECOVERY[self._recovered]} comes first"
        if number < self._recovered:
            return "there is nothing to recover here"
        self._recovered += 1
        if number == 0:
            self.errors = ()
        return ""


class Failures:
    """Which failures are on. One of each kind at a time: a new one takes the place of the old one.

    All times are seconds of one steady clock.
    """

    def __init__(self) -> None:
        self.robot = Robot()
        self._failures: dict[str, tuple[Failure, float]] = {}  # by kind, with the time at which each begins
        self._now_s = -math.inf

    def begin(self, failure: Failure, now_s: float) -> None:
        """Begin it, or with "none" end all; a reflex stays until a person has recovered the robot."""
        if failure.kind == NONE:
            self._failures.clear()
            self.robot.press(False)
        else:
            self._failures[failure.kind] = failure, now_s + failure.after_s
        self.update(now_s)

    def update(self, now_s: float) -> None:
        """To be called at each tick: what is due begins, what is over ends."""
        self._now_s = now_s
        for kind in self.on:
            failure, begin_s = self._failures[kind]
            over = failure.for_s is not None and now_s >= begin_s + failure.for_s
            if kind == "user_stopped":
                self.robot.press(not over)
            elif kind == "reflex":
                self.robot.reflex()
            if over or kind == "reflex":  # of a reflex all that remains is the robot's own state
                del self._failures[kind]

    @property
    def on(self) -> list[str]:
        """The kinds that are on."""
        return [kind for kind, (_, begin_s) in self._failures.items() if begin_s <= self._now_s]

    def value(self, kind: str) -> float | None:
        """The strength of a failure that is on; None if it is not."""
        return self._failures[kind][0].strength if kind in self.on else None

    @property
    def stands(self) -> bool:
        """Whether the arm stays where it is, whatever it is told."""
        return not self.controlled or self.value("blocked") is not None

    @property
    def controlled(self) -> bool:
        """Whether a controller is active that follows the targets; one that becomes active rests where the arm is."""
        off = any(self.value(kind) is not None for kind in ("controller_inactive", "controller_gone"))
        return self.robot.follows and not off

    @property
    def mode(self) -> str:
        """What the robot reports: IDLE also where the controller is gone that has moved it."""
        return self.robot.mode if self.robot.mode != "MOVE" or self.controlled else "IDLE"

    @property
    def success_rate(self) -> float:
        """Of the control commands, 0..1; 0 while no controller runs (libfranka)."""
        lost = self.value("commands_lost")
        return 0.0 if not self.controlled else 1.0 if lost is None else lost


class Fingers:
    """What becomes of commands to the hand: 0 open .. 1 closed."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._goal = self._end = self._now = 0.0
        self._stuck: float | None = None

    def command(self, goal: float, measured: float) -> None:
        """A command arrives. One that was aborted is not tried again: only another command begins a motion."""
        if self._failures.value("gripper_lost") is not None or goal == self._goal:
            return
        share = self._failures.value("gripper_aborted")
        self._goal, self._now = goal, measured
        self._end = goal if share is None else measured + share * (goal - measured)

    def drive(self, elapsed_s: float, measured: float) -> float:
        """Where the fingers are driven to now, ``elapsed_s`` after the last call."""
        if self._failures.value("gripper_stuck") is None:
            self._stuck = None
        else:
            self._stuck = measured if self._stuck is None else self._stuck
            return self._stuck
        slow_s = self._failures.value("gripper_slow")
        if slow_s is None:
            self._now = self._end
        else:
            step = elapsed_s / slow_s
            self._now += min(max(self._end - self._now, -step), step)
        return self._now


class Wire(Generic[M]):
    """One topic of the arm on its way here.

    Args:
        failures: what may be wrong with it.
        send: called with each message that arrives.
        seed: of the losses.
    """

    def __init__(self, failures: Failures, send: Callable[[M], object], seed: int = 0) -> None:
        self._failures, self._send, self._random = failures, send, random.Random(seed)
        self._held: deque[M] = deque(maxlen=HELD_BACK)
        self._since_s: float | None = None

    def put(self, message: M, now_s: float) -> None:
        """A message of the arm; it and what was held back arrive now, later or never."""
        silence_s = self._failures.value("state_stutters")
        arrives = self._failures.value("state_drops")
        if arrives is None or self._random.random() < arrives:
            self._held.append(message)
        if silence_s is not None:
            self._since_s = now_s if self._since_s is None else self._since_s
            if now_s - self._since_s < silence_s:
                return
        self._since_s = None if silence_s is None else now_s
        while self._held:
            self._send(self._held.popleft())
