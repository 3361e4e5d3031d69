"""Reports that are none: whatever is wrong with them, they are refused with a sentence and never half taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wm_bringup.heard import Scene, State, Status, parse
from wm_core.errors import ConfigError

STATUS = {"planned": True, "subgoal": 1, "subgoals": 8, "done": False, "plan_ms": 20.0, "latency_ms": 50, "x": [1]}
STATE = {"mode": "running", "reason": "", "stamp_s": 12.5, "run": "0a1b2c3d"}
SCENE = {"seed": 3, "placed": False, "goal_distance_m": 0.2, "cube_m": [0.1, 0.2, 0.3]}


def test_whole_reports_are_taken() -> None:
    assert parse(Status, json.dumps(STATUS)) == Status(True, 1, 8, False, plan_ms=20.0, latency_ms=50.0)
    assert parse(State, json.dumps(STATE)) == State("running", "", 12.5, "0a1b2c3d")
    assert parse(Scene, json.dumps(SCENE)) == Scene(3, False, 0.2)
    assert parse(Status, json.dumps(STATUS | {"goals": ["reached", "passed", ""]})).goals == ("reached", "passed", "")


@pytest.mark.parametrize("kind", [Status, State, Scene])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 50_000, '{"a": 1', "\x00", "x" * 30_000, "9" * 5_000]
)
def test_what_is_no_report_is_refused(kind: type, text: str) -> None:
    with pytest.raises(ConfigError):
        parse(kind, text)


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (Status, STATUS, {"subgoal": "1"}),
        (Status, STATUS, {"subgoal": 1.5}),
        (Status, STATUS, {"subgoal": True}),
        (Status, STATUS, {"subgoal": 9}),
        (Status, STATUS, {"subgoal": -1}),
        (Status, STATUS, {"done": 1}),
        (Status, STATUS, {"done": "true"}),
        (Status, STATUS, {"energy": float("nan")}),
        (Status, STATUS, {"plan_ms": float("inf")}),
        (Status, STATUS, {"plan_ms": None}),
        (Status, STATUS, {"guardrail": None}),
        (Status, STATUS, {"run": 7}),
        (Status, STATUS, {"goals": [1]}),
        (State, STATE, {"mode": "flying"}),
        (State, STATE, {"mode": None}),
        (State, STATE, {"reason": ["x"]}),
        (State, STATE, {"stamp_s": float("nan")}),
        (State, STATE, {"stamp_s": "now"}),
        (Scene, SCENE, {"placed": None}),
        (Scene, SCENE, {"placed": "yes"}),
        (Scene, SCENE, {"goal_distance_m": float("nan")}),
    ],
)
def test_each_field_is_checked(kind: type, good: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse(kind, json.dumps(good | wrong))


@pytest.mark.parametrize(("kind", "good"), [(Status, STATUS), (State, STATE), (Scene, SCENE)])
def test_a_missing_field_is_named(kind: type, good: dict[str, Any]) -> None:
    first = next(iter(good))
    with pytest.raises(ConfigError, match=f"lacks the key '{first}'"):
        parse(kind, json.dumps({key: value for key, value in good.items() if key != first}))
