"""The reports that ``wm`` hears from the nodes, checked field by field: a message that is not one is refused whole."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TypeVar

from wm_controller.supervisor import MODES
from wm_core import config
from wm_core.errors import ConfigError

T = TypeVar("T")

#: Our own reports take well below 2 kB.
MAX_CHARACTERS = 20_000


@dataclass(frozen=True)
class Status:
    """``planner/status``. Sub-goals count from 0; times in ms; ``run`` is the run that it plans for."""

    planned: bool
    subgoal: int
    subgoals: int
    done: bool
    reason: str = ""
    guardrail: str = "ok"
    energy: float | None = None
    plan_ms: float | None = None
    latency_ms: float | None = None
    reached: bool = False
    run: str = ""
    goals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.subgoal <= self.subgoals:
            raise ConfigError(f"sub-goal {self.subgoal} of {self.subgoals} does not exist")
        if self.planned and (self.plan_ms is None or self.latency_ms is None):
            raise ConfigError("a plan without the times that it took")
        _finite(energy=self.energy, plan_ms=self.plan_ms, latency_ms=self.latency_ms)


@dataclass(frozen=True)
class State:
    """``controller/state``. ``stamp_s`` is of the ROS clock; ``run`` is in progress or, while idle, the next one."""

    mode: str
    reason: str
    stamp_s: float
    run: str = ""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"the mode is none of {', '.join(MODES)}")
        _finite(stamp_s=self.stamp_s)


@dataclass(frozen=True)
class Scene:
    """``sim/scene``: the simulator's ground truth."""

    seed: int
    placed: bool
    goal_distance_m: float

    def __post_init__(self) -> None:
        _finite(goal_distance_m=self.goal_distance_m)


def parse(kind: type[T], text: str) -> T:
    """The report in a message. Keys that ``wm`` does not use may be anything.

    Raises ConfigError if it is no JSON object, if a field is missing or of another type, or a number is not finite.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"a report of {len(text)} characters")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("a report that is not JSON") from None
    if not isinstance(values, dict):
        raise ConfigError("a report that is not a JSON object")
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return config.from_dict(kind, {key: value for key, value in values.items() if key in known}, "a report")


def _finite(**numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise ConfigError(f"{name} is not finite")
