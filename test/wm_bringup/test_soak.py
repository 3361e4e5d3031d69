"""How a soak is judged and summed up."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from wm_bringup import soak
from wm_bringup.run_config import RunConfig
from wm_bringup.soak import Episode, Memory, SoakReport
from wm_core.errors import ConfigError, WmError
from wm_core.reports import ControllerState, Mode

REPORT = SoakReport(
    minutes=60.0,
    episodes=(Episode(0, True, 9.0, 0.01, ()),),
    placed=1,
    memory={"planner": Memory(0.5, 100.0, 100.5, ())},
    commands={"p50_ms": 20.0, "p99_ms": 22.0, "p999_ms": 30.0, "max_ms": 45.0, "missed": 1, "intervals": 180000},
    latency={
        f"frame_to_{what}_{part}_ms": 50.0 for what in ("plan", "first_command") for part in ("p50", "p99", "max")
    },
    holds={},
    unexplained_holds=(),
    violations={},
)


def test_an_hour_within_the_limits() -> None:
    assert soak.judge(REPORT) == []
    text = "\n".join(soak.summary(REPORT))
    assert "1 episodes in 60.0 min, 1 placed" in text and "p99.9 30.0" in text and "+0.50 %" in text


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"memory": {"planner": Memory(2.5, 100.0, 102.5, ())}}, "the memory of planner grew by 2.5 %"),
        ({"memory": {"planner": Memory(math.nan, 100.0, 100.0, ())}}, "the memory of planner grew by nan %"),
        ({"commands": REPORT.commands | {"p999_ms": 41.0}}, "p99.9 of the command intervals is 41.0 ms"),
        ({"commands": REPORT.commands | {"p999_ms": math.nan}}, "p99.9 of the command intervals is nan ms"),
        ({"unexplained_holds": ("12.00 s: holding: x",)}, "1 unexplained holds"),
        ({"violations": {"speed": 1}}, "violations: {'speed': 1}"),
        ({"episodes": ()}, "no episode came to its end"),
    ],
)
def test_each_limit_is_judged(changed: dict[str, Any], sentence: str) -> None:
    assert soak.judge(dataclasses.replace(REPORT, **changed)) == [sentence]


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"minutes": math.nan}, {"scenes": 0}])
def test_senseless_options_are_refused(tiny_bundle: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        soak.Soak(RunConfig(tiny_bundle), lambda: False, **{"minutes": 1.0, "scenes": 2, **wrong})


def test_where_nothing_is_commanded() -> None:
    modes = ((1.0, Mode.IDLE), (2.0, Mode.HOLDING), (3.0, Mode.RUNNING), (9.0, Mode.IDLE))
    said = [ControllerState(mode, "", stamp_s) for stamp_s, mode in modes]
    assert soak.idle(said) == [(1.0, 2.0), (9.0, math.inf)]
    assert soak.idle([]) == []


def test_a_place_that_takes_no_figures_is_found_first(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(WmError, match="cannot write"):
        soak.Soak(RunConfig(tiny_bundle), lambda: False, 1.0, 2, tmp_path)
