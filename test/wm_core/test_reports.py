"""Reports that are none: whatever is wrong with them, they are refused with a sentence and never half taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wm_core import reports
from wm_core.errors import ConfigError
from wm_core.reports import ControllerState, Mode, PlannerStatus, RoleStatus, RunSummary, Scene, parse

STATUS = {"subgoal": 1, "planned": True, "subgoals": 8, "done": False, "plan_ms": 20.0, "latency_ms": 50, "x": [1]}
STATE = {"mode": "running", "reason": "", "stamp_s": 12.5, "run": "0a1b2c3d"}
SCENE = {"seed": 3, "placed": False, "goal_distance_m": 0.2, "cube_m": [0.1, 0.2, 0.3]}


def test_whole_reports_are_taken() -> None:
    assert parse(PlannerStatus, json.dumps(STATUS)) == PlannerStatus(
        planned=True, subgoal=1, subgoals=8, plan_ms=20.0, latency_ms=50.0
    )
    assert parse(ControllerState, json.dumps(STATE)) == ControllerState(Mode.RUNNING, "", 12.5, "0a1b2c3d")
    assert parse(Scene, json.dumps(SCENE)) == Scene(3, False, 0.2, (0.1, 0.2, 0.3))
    assert parse(PlannerStatus, json.dumps(STATUS | {"goals": ["reached", "passed", ""]})).goals == (
        "reached",
        "passed",
        "",
    )


@pytest.mark.parametrize("kind", [PlannerStatus, ControllerState, Scene])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 50_000, '{"a": 1', "\x00", "x" * 30_000, "9" * 5_000]
)
def test_what_is_no_report_is_refused(kind: type, text: str) -> None:
    with pytest.raises(ConfigError):
        parse(kind, text)


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (PlannerStatus, STATUS, {"subgoal": "1"}),
        (PlannerStatus, STATUS, {"subgoal": 1.5}),
        (PlannerStatus, STATUS, {"subgoal": True}),
        (PlannerStatus, STATUS, {"subgoal": 9}),
        (PlannerStatus, STATUS, {"subgoal": -1}),
        (PlannerStatus, STATUS, {"done": 1}),
        (PlannerStatus, STATUS, {"done": "true"}),
        (PlannerStatus, STATUS, {"energy": float("nan")}),
        (PlannerStatus, STATUS, {"plan_ms": float("inf")}),
        (PlannerStatus, STATUS, {"plan_ms": None}),
        (PlannerStatus, STATUS, {"guardrail": None}),
        (PlannerStatus, STATUS, {"run": 7}),
        (PlannerStatus, STATUS, {"goals": [1]}),
        (ControllerState, STATE, {"mode": "flying"}),
        (ControllerState, STATE, {"mode": None}),
        (ControllerState, STATE, {"reason": ["x"]}),
        (ControllerState, STATE, {"stamp_s": float("nan")}),
        (ControllerState, STATE, {"stamp_s": "now"}),
        (Scene, SCENE, {"placed": None}),
        (Scene, SCENE, {"placed": "yes"}),
        (Scene, SCENE, {"goal_distance_m": float("nan")}),
    ],
)
def test_each_field_is_checked(kind: type, good: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse(kind, json.dumps(good | wrong))


@pytest.mark.parametrize(("kind", "good"), [(PlannerStatus, STATUS), (ControllerState, STATE), (Scene, SCENE)])
def test_a_missing_field_is_named(kind: type, good: dict[str, Any]) -> None:
    first = next(iter(good))
    with pytest.raises(ConfigError, match=f"lacks the key '{first}'"):
        parse(kind, json.dumps({key: value for key, value in good.items() if key != first}))


@pytest.mark.parametrize(
    "report",
    [
        ControllerState(Mode.FAULT, "jumped", 1.5, "ab"),
        PlannerStatus(instance="ab", subgoal=0, subgoals=1, goals=("",)),
    ],
)
def test_what_was_said_is_what_is_heard(report: Any) -> None:
    text = reports.to_json(report)
    assert json.loads(text)["version"] == reports.VERSION and "\n" not in text
    assert parse(type(report), text) == report


def test_whoever_listens_may_ask_for_less() -> None:
    """The controller hears of every role what all roles say."""
    assert parse(RoleStatus, reports.to_json(PlannerStatus(run="ab", done=True, subgoal=0, subgoals=1))) == RoleStatus(
        run="ab", done=True
    )


def test_a_node_does_not_fall_over_its_own_words() -> None:
    text = reports.to_json(PlannerStatus(subgoal=9, subgoals=1, energy=float("nan"), plan_ms=float("inf")))
    assert "NaN" not in text and "Infinity" not in text
    with pytest.raises(ConfigError, match="does not exist"):
        parse(PlannerStatus, text)


def test_a_mode_is_its_word() -> None:
    assert f"{Mode.IDLE}" == str(Mode.IDLE) == "idle" == Mode.IDLE and f"{Mode.IDLE:<6}|" == "idle  |"
    assert json.dumps({"mode": Mode.IDLE}) == '{"mode": "idle"}'
    with pytest.raises(ConfigError, match="mode must be one of idle, running, holding, stopped, fault"):
        parse(ControllerState, '{"mode": "flying"}')


def test_like_sentences_are_of_one_kind() -> None:
    assert reports.kind_of("no arm state for 0.21 s") == reports.kind_of("no arm state for 10.34 s")


def test_a_summary_says_its_version_first() -> None:
    summary = reports.as_dict(RunSummary(1, "not placed", violations={"speed": 2}))
    assert next(iter(summary)) == "version" and summary["violations"] == {"speed": 2}
