"""What nodes and runs say of themselves: typed, and turned into JSON and back here alone.

On a topic a report is a JSON object in a ``std_msgs/String``; in a file it is one as well. Each carries the ``version``
of this vocabulary. Keys that the listener does not know may be anything, so that a later version can say more.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from . import config, results
from .errors import ConfigError

T = TypeVar("T")

#: Counts up when a key changes its meaning, or goes.
VERSION = 1
#: Our own reports take well below 2 kB.
MAX_CHARACTERS = 20_000


class Mode(str, Enum):
    """What the controller may do now; ``wm_controller/supervisor.py`` says what leads from one to the other."""

    IDLE = "idle"
    RUNNING = "running"
    HOLDING = "holding"
    STOPPED = "stopped"
    FAULT = "fault"

    def __str__(self) -> str:
        return self.value


#: The modes of a run in which plans are due; a hold by a watchdog ends with the next plan.
ACTING = (Mode.RUNNING, Mode.HOLDING)
#: The modes that only a person's ``resume`` ends.
LATCHED = (Mode.STOPPED, Mode.FAULT)
#: The modes in which the arm must not move although a run has begun.
AT_REST = (Mode.HOLDING, *LATCHED)


class Report:
    """What one node tells others."""

    def check(self) -> None:
        """Raises ConfigError on what no node of ours says. Asked of what was heard, never of what is about to be said.

        A node must not fall over its own words.
        """
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{name} is not finite")


@dataclass(frozen=True)
class ControllerState(Report):
    """``controller/state``. All times are of the ROS clock, in s; ``run`` is in progress or, while idle, the next one.

    Attributes:
        stamp_s: since when mode and reason are these.
        frame_s: stamp of the frame that the last plan taken was made from; ``taken_s``: the tick that took it, which
            is the stamp of the first target that follows it.
    """

    mode: Mode
    reason: str  # one sentence; "" only when running
    stamp_s: float
    run: str = ""
    frame_s: float | None = None
    taken_s: float | None = None


@dataclass(frozen=True)
class Heartbeat(Report):
    """What every node says that the controller depends on. ``instance`` is of the process, 8 hex digits."""

    instance: str = ""


@dataclass(frozen=True)
class RoleStatus(Heartbeat):
    """``<role>/status``: whoever gives plans, and the ``run`` that they are, or were last, for.

    Attributes:
        done: the run has come to its end, as far as this node is concerned; ``reached``: with its goal.
        planned: whether this status comes with a plan.
        reason: why there is none, in one sentence.
    """

    run: str = ""
    done: bool = False
    reached: bool = False
    planned: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PlannerStatus(RoleStatus):
    """``planner/status``. Sub-goals count from 0.

    Attributes:
        guardrail: the one that holds the plan back, or "ok".
        energy: from the present latent to the present sub-goal; None where unknown.
        latency_ms: from the frame's stamp to the plan.
        infeasible_fraction: share of the candidates that the limits had to correct.
        goals: how each sub-goal has ended, "reached" or "passed"; "" before that.
        pending: what waits to be used as goals in this run; ``aside``: the newest sentence about pictures that were
            left aside; ``rivals``: who else shows some.
    """

    subgoal: int
    subgoals: int
    guardrail: str = "ok"
    energy: float | None = None
    plan_ms: float | None = None
    latency_ms: float | None = None
    infeasible_fraction: float | None = None
    goals: tuple[str, ...] = ()
    pending: str = ""
    aside: str = ""
    rivals: str = ""

    def check(self) -> None:
        super().check()
        if not 0 <= self.subgoal <= self.subgoals:
            raise ConfigError(f"sub-goal {self.subgoal} of {self.subgoals} does not exist")
        if self.planned and (self.plan_ms is None or self.latency_ms is None):
            raise ConfigError("a plan without the times that it took")


@dataclass(frozen=True)
class CalibrateStatus(RoleStatus):
    """``calibrate/status``. ``reached``: the axes are written; ``done`` without it: they are not.

    The angle of the axes, its standard error and what the fit says of itself are there once it was made.
    """

    failed: bool = False
    moves: int = 0
    of: int = 0
    angle_deg: float | None = None
    error_deg: float | None = None
    residual: float | None = None
    condition: float | None = None
    scale: float | None = None


@dataclass(frozen=True)
class EncoderStatus(Heartbeat):
    """``encoder/status``.

    Attributes:
        fault: why there are no latents, in one sentence; ``goal_fault``: why the planner's own goals have none.
        left_aside: goal pictures that belonged to no run.
        camera: what it sends, in words.
    """

    fault: str = ""
    goal_fault: str = ""
    left_aside: int = 0
    camera: str = ""


@dataclass(frozen=True)
class Scene(Report):
    """``sim/scene``: the simulator's ground truth, for whoever judges a run; nothing that plans may read it."""

    seed: int
    placed: bool
    goal_distance_m: float
    cube_m: tuple[float, ...] = ()
    goal_m: tuple[float, ...] = ()


@dataclass(frozen=True)
class Health:
    """What a node says of itself in ``/diagnostics``: whether all is well, one sentence, and figures by name."""

    ok: bool
    message: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSummary:
    """``summary.json``: what came of one run. Figures are None where there was nothing to take them from.

    Attributes:
        exit_status: of the command; ``outcome``: the same as a sentence.
        placed: None where nobody can tell, as on a real arm.
        wall_s: of the whole run; ``acting_s``: from the start on.
        commands: how many targets came; ``violations`` of the envelope among them, by kind.
        holds: when (s) and why the controller held.
        ignored_messages: by topic, how many could not be used.
        nodes: the last diagnostics of each.
    """

    exit_status: int | None
    outcome: str
    placed: bool | None = None
    seed: int | None = None
    bundle: str = ""
    wall_s: float = 0.0
    acting_s: float = 0.0
    goal_distance_m: float | None = None
    done: bool = False
    reached: bool = False
    subgoal: int | None = None
    subgoals: int | None = None
    goals: tuple[str, ...] = ()
    plans: int = 0
    plan_ms_p50: float | None = None
    plan_ms_p99: float | None = None
    frame_to_plan_ms_p50: float | None = None
    frame_to_plan_ms_p99: float | None = None
    guardrail_activity: Mapping[str, int] = field(default_factory=dict)
    commands: int = 0
    violations: Mapping[str, int] = field(default_factory=dict)
    holds: tuple[str, ...] = ()
    ignored_messages: Mapping[str, int] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def as_dict(report: Any) -> dict[str, Any]:
    """A report (a dataclass) as it goes into JSON, its version first."""
    return {"version": VERSION, **dataclasses.asdict(report)}


def to_json(report: Any) -> str:
    """A report on one line. A number that is not finite becomes null."""
    return results.to_json(as_dict(report), indent=None)


def parse(kind: type[T], text: str, what: str = "a report") -> T:
    """The report of this ``kind`` in a message.

    Raises ConfigError if it is no JSON object, if a field is missing or of another type, or a number is not finite.
    """
    values = json_object(text, what)
    known = {entry.name for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    report = config.from_dict(kind, {key: value for key, value in values.items() if key in known}, what)
    if isinstance(report, Report):
        report.check()
    return report


def json_object(text: str, what: str) -> dict[str, Any]:
    """The keys and values of a JSON object. Raises ConfigError if it is none, or longer than MAX_CHARACTERS."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{what} has {len(text)} characters, more than {MAX_CHARACTERS}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{what} is not JSON") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{what} is not a JSON object")
    return values


def kind_of(sentence: str) -> str:
    """The same for sentences that differ in no more than their numbers."""
    return re.sub(r"\d+", "0", sentence)
