"""What goes into the controller core and what comes out of it: plain data, no ROS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import ConfigError, quoted
from wm_core.limits import (
    CONDITION_CEILING,
    FORCE_CEILING_N,
    HISTORY_S,
    HORIZON_S,
    JOINT_MARGIN_FLOOR_RAD,
    JOINTS_RAD,
    PERIOD_MIN_S,
    TORQUE_CEILING_NM,
    Limits,
)
from wm_core.reports import Mode
from wm_core.topics import ROLES

#: Heartbeats come at 2 Hz or more: a node that has missed six is dead or stuck.
HEARTBEAT_CEILING_S = 3.0
#: Whose heartbeats are watched, by the names that ``require`` has for them. "planner" is who gives plans, whatever its
#: role: a file for an arm serves a calibration as well.
PLANNER, ENCODER = NODES = ("planner", "encoder")
#: Inputs that are watched once they have been heard, and from the start where ``require`` names them.
WATCHED = ("wrench", "joints", "robot", *NODES)
#: Resume is refused for so long after a stop: within it, a stop and a resume may have been asked for together, and
#: nobody can have looked.
RESUME_QUIET_S = 1.0
#: Resume is refused so soon after another: a person takes longer to read the answer and try again.
RESUME_APART_S = 0.3
#: After a call that only a program makes, none counts until none came for so long. Such is a call within RESUME_QUIET_S
#: of a stop, and RESUME_UNNEEDED of them when nothing is stopped, each within this time of the one before: once or
#: twice is a slip of a person who sees the arm hold. After a stop that comes this soon after a resume, which somebody
#: did not want then, it takes the place of RESUME_QUIET_S. A slower program cannot be told from a person.
RESUME_SILENCE_S, RESUME_UNNEEDED = 5.0, 3
#: A hold that lasts longer than this becomes a stop: whoever stands by no longer expects motion (ISO 13850 asks for a
#: deliberate act before a machine goes on). A slow planner may take longer for its first plan after a start.
HOLD_PATIENCE_S, FIRST_PLAN_S = 2.0, 10.0
#: A controller that is not called for longer was held up, by a suspended process, a lock or a machine that slept: calls
#: may have waited for it, and somebody may have moved the arm. The load of a shared machine makes pauses of 0.1 s.
HELD_UP_S = 0.3
#: What can clip a step; the keys of :attr:`ControllerStatus.clipped`.
CLIPS = ("step", "box", "tilt", "speed", "accel", "leash")


@dataclass(frozen=True)
class ControllerConfig:
    """Configuration of the controller. Raises ConfigError where a value is out of its range."""

    READ_IF: ClassVar = dict.fromkeys(("joint_margin_rad", "max_condition"), ("robot", tuple(JOINTS_RAD)))

    rate_hz: float = 50.0  # how often the caller means to tick; MoveIt Servo wants 20 Hz, CRISP 50 to 100 Hz
    execute_steps: int = 1  # how many steps of a plan are executed before a newer plan must have come
    limits: Limits = field(default_factory=Limits)
    base_frame: str = "base"  # frame id that every pose must carry
    plan_max_age_s: float = 1.0  # a plan from an older frame is refused
    force_hold_n: float | None = None  # measured force at which the arm brakes, then is stopped; None: not looked at
    force_stop_n: float | None = None  # measured force at which it is stopped at once; None: not looked at
    torque_hold_nm: float | None = None  # the same for the measured torque
    torque_stop_nm: float | None = None
    robot: str | None = None  # "fr3" or "fer": whose joint limits are kept; None: do not look at the joints
    joint_margin_rad: float = JOINT_MARGIN_FLOOR_RAD  # a joint nearer to its end holds the arm; more is tighter
    max_condition: float = CONDITION_CEILING  # condition number of the Jacobian beyond which the arm holds
    heartbeat_s: float = HEARTBEAT_CEILING_S  # one of NODES that was heard and is silent for longer holds
    require: tuple[str, ...] = ()  # which of WATCHED must be there from the start
    role: str = "planner"  # whose plans are followed, one of ROLES

    def __post_init__(self) -> None:
        if not 20.0 <= self.rate_hz <= 1000.0:
            raise ConfigError(f"rate_hz = {self.rate_hz} is outside 20..1000")
        most = round(HORIZON_S / PERIOD_MIN_S)
        if not 1 <= self.execute_steps <= most:
            raise ConfigError(f"execute_steps = {self.execute_steps} must be 1 to {most} (at most {HORIZON_S} s)")
        if not 0.0 < self.plan_max_age_s <= HISTORY_S:
            raise ConfigError(f"plan_max_age_s = {self.plan_max_age_s} is outside 0..{HISTORY_S}")
        self._check_contact("force", "n", "newton", FORCE_CEILING_N)
        self._check_contact("torque", "nm", "newton metre", TORQUE_CEILING_NM)
        if self.robot is not None and self.robot not in JOINTS_RAD:
            raise ConfigError(f"robot {quoted(self.robot)} is not one of {', '.join(JOINTS_RAD)}")
        if not JOINT_MARGIN_FLOOR_RAD <= self.joint_margin_rad <= 1.0:
            raise ConfigError(f"joint_margin_rad = {self.joint_margin_rad} is outside {JOINT_MARGIN_FLOOR_RAD}..1")
        if not 1.0 <= self.max_condition <= CONDITION_CEILING:
            raise ConfigError(f"max_condition = {self.max_condition} is outside 1..{CONDITION_CEILING}")
        if not 0.0 < self.heartbeat_s <= HEARTBEAT_CEILING_S:
            raise ConfigError(f"heartbeat_s = {self.heartbeat_s} is outside 0..{HEARTBEAT_CEILING_S}")
        for name in self.require:
            if name not in WATCHED:
                raise ConfigError(f"require has {quoted(name)}, which is not one of {', '.join(WATCHED)}")
        if "joints" in self.require and self.robot is None:
            raise ConfigError("require has 'joints', but robot does not say whose")
        if self.role not in ROLES:
            raise ConfigError(f"role = {quoted(self.role)} must be one of {', '.join(ROLES)}")

    def _check_contact(self, what: str, unit: str, word: str, ceiling: float) -> None:
        hold, stop = getattr(self, f"{what}_hold_{unit}"), getattr(self, f"{what}_stop_{unit}")
        for name, value in ((f"{what}_hold_{unit}", hold), (f"{what}_stop_{unit}", stop)):
            if value is not None and not 0.0 <= value <= ceiling:
                raise ConfigError(f"{name} = {value} must be 0..{ceiling:g} {word}, or null for not looking at it")
        if hold is not None and stop is not None and not hold <= stop:
            raise ConfigError(
                f"{what}_hold_{unit} = {hold} is above {what}_stop_{unit} = {stop}: it would never hold; lower it"
            )


@dataclass(frozen=True)
class Plan:
    """What the planner wants: deltas ``(H, 7)`` in m, rad (extrinsic xyz Euler) and gripper, each for one step."""

    stamp_s: float  # stamp of the frame that the plan was made from, s of the steady clock
    step_period_s: float
    deltas: NDArray[np.float64]


@dataclass(frozen=True)
class ArmState:
    """What the arm measures: TCP pose ``(6,)`` xyz (m) + extrinsic xyz Euler (rad), gripper 0 open .. 1 closed."""

    stamp_s: float  # of the steady clock
    pose: NDArray[np.float64]
    gripper: float


@dataclass(frozen=True)
class Command:
    """What to send to the arm. ``pose`` and ``gripper`` are None as long as nothing may be commanded."""

    pose: NDArray[np.float64] | None  # (6,) xyz + Euler of the TCP in the base frame; it stands still unless running
    gripper: float | None  # in no mode but running
    mode: Mode
    reason: str  # why it is not running; "" when running


@dataclass(frozen=True)
class ControllerStatus:
    """For diagnostics. Ages are None before the first input."""

    mode: Mode
    reason: str
    run: str  # id of the run in progress; while idle, of the next one
    state_age_s: float | None
    plan_age_s: float | None
    plans: int  # accepted
    refused_plans: int
    refused_states: int
    late_ticks: int  # ticks so late that the stream had to start again from rest
    clock_faults: int
    joint_margin_rad: float | None  # of the joint nearest to its end
    condition: float | None  # of the Jacobian
    robot_mode: str | None
    clipped: dict[str, int]  # plan steps that each limit changed; "speed" and "accel": that cannot be made in time
