"""How a soak is judged and summed up."""

from __future__ import annotations

import argparse
import copy
import math
from pathlib import Path
from typing import Any

import pytest

from wm_bringup import soak
from wm_bringup.recorder import Mode
from wm_core.errors import ConfigError, WmError

REPORT: dict[str, Any] = {
    "minutes": 60.0,
    "episodes": [{}],
    "placed": 1,
    "memory": {"planner": {"growth_percent": 0.5, "first_mb": 100.0, "last_mb": 100.5, "samples": []}},
    "commands": {"p50_ms": 20.0, "p99_ms": 22.0, "p999_ms": 30.0, "max_ms": 45.0, "missed": 1, "intervals": 180000},
    "latency": {
        f"frame_to_{what}_{part}_ms": 50.0 for what in ("plan", "first_command") for part in ("p50", "p99", "max")
    },
    "holds": {},
    "unexplained_holds": [],
    "violations": {},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    report = copy.deepcopy(REPORT)
    *groups, leaf = path.split(".")
    inner = report
    for group in groups:
        inner = inner[group]
    inner[leaf] = value
    return report


def test_an_hour_within_the_limits() -> None:
    assert soak.judge(REPORT) == []
    text = "\n".join(soak.summary(REPORT))
    assert "1 episodes in 60.0 min, 1 placed" in text and "p99.9 30.0" in text and "+0.50 %" in text


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("memory.planner.growth_percent", 2.5, "the memory of planner grew by 2.5 %"),
        ("memory.planner.growth_percent", math.nan, "the memory of planner grew by nan %"),
        ("commands.p999_ms", 41.0, "p99.9 of the command intervals is 41.0 ms"),
        ("commands.p999_ms", math.nan, "p99.9 of the command intervals is nan ms"),
        ("unexplained_holds", ["12.00 s: holding: x"], "1 unexplained holds"),
        ("violations", {"speed": 1}, "violations: {'speed': 1}"),
        ("episodes", [], "no episode came to its end"),
    ],
)
def test_each_limit_is_judged(path: str, value: Any, sentence: str) -> None:
    assert soak.judge(changed(path, value)) == [sentence]


def test_like_holds_are_counted_together() -> None:
    assert soak._kind("no arm state for 0.21 s") == soak._kind("no arm state for 0.34 s")


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"minutes": math.nan}, {"scenes": 0}])
def test_senseless_options_are_refused(wrong: dict[str, float]) -> None:
    arguments = argparse.Namespace(**{"minutes": 1.0, "scenes": 2, **wrong})
    with pytest.raises(ConfigError):
        soak.Soak(arguments, lambda: False)


def test_where_nothing_is_commanded() -> None:
    said = [Mode(1.0, "idle", ""), Mode(2.0, "holding", ""), Mode(3.0, "running", ""), Mode(9.0, "idle", "")]
    assert soak.idle(said) == [(1.0, 2.0), (9.0, math.inf)]
    assert soak.idle([]) == []


def test_a_place_that_takes_no_figures_is_found_first(tmp_path: Path) -> None:
    with pytest.raises(WmError, match="cannot write"):
        soak.Soak(argparse.Namespace(minutes=1.0, scenes=2, json=tmp_path), lambda: False)
