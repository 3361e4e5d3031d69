"""A run without nodes: what it does on its ways out, and how it says what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wm_bringup import pick_place, report
from wm_bringup.live_run import LiveRun, Outcome
from wm_bringup.observers import Film, Line, Plot, Summary
from wm_bringup.run_config import RunConfig
from wm_core.errors import WmError
from wm_core.reports import PlannerStatus

Act = Callable[[LiveRun], Outcome]


class Run(LiveRun):
    """Its graph is up at once; what happens then is for a test to say. ``asked`` are the services it called."""

    def __init__(self, config: RunConfig, act: Act) -> None:
        super().__init__(config, lambda: False, act, [Film(), Plot(), Summary(), Line()])
        self.asked: list[str] = []

    def _bring_up(self) -> None:
        self.processes.has_ended = lambda name: False  # type: ignore[method-assign]

    def call(self, service: str) -> str:
        self.asked.append(service)
        return ""

    def wait(self, true: Callable[[], bool], *_: object, **__: object) -> bool:
        return true()


@pytest.fixture
def make(tmp_path: Path, tiny_bundle: Path, goal_folder: Path) -> Callable[..., Run]:
    def new(act: Act, mode: str = "sim") -> Run:
        return Run(RunConfig(tiny_bundle, goal_folder, mode, goals=3, max_seconds=5.0, runs=tmp_path / "runs"), act)

    return new


def summary(folder: Path) -> dict[str, Any]:
    return json.loads(next(folder.glob("runs/*/summary.json")).read_text())


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, MemoryError])
def test_a_crash_of_wm_stops_the_arm(make: Callable[..., Run], tmp_path: Path, error: type[BaseException]) -> None:
    def act(run: LiveRun) -> Outcome:
        run.start()
        raise error

    run = make(act)
    with pytest.raises(error):
        run.run()
    assert run.asked == ["start", "stop"]
    assert summary(tmp_path)["outcome"] == "wm ended before the run did", "what was written first is there"


def test_nothing_is_stopped_that_was_not_started(make: Callable[..., Run], capsys: pytest.CaptureFixture) -> None:
    def act(run: LiveRun) -> Outcome:
        raise WmError("no such thing; do another")

    run = make(act)
    assert run.run().status == 2 and run.asked == []
    assert "wm: no such thing; do another" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "lost"), [("run.mp4", "film"), ("energy.png", "plot"), ("summary.json", "summary")])
def test_each_result_that_is_lost_loses_no_other(
    make: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture, name: str, lost: str
) -> None:
    def act(run: LiveRun) -> Outcome:
        (run.folder / name).unlink(missing_ok=True)
        (run.folder / name).mkdir()
        run.begin()
        run.monitor.on_frame(np.zeros((64, 64, 3), dtype=np.uint8), 0.0)
        run.monitor.rows.append(report.PlanRow(0.1, 0, 1.0, 20.0, 50.0, "ok"))
        return Outcome(0, "placed: so and so", True)

    assert make(act).run().status == 2
    assert f"wm: placed: so and so; but the {lost} is lost: cannot write " in capsys.readouterr().err
    folder = next(tmp_path.glob("runs/*"))
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"run.mp4", "energy.png", "summary.json"} - {
        name
    }
    if name != "summary.json":
        assert summary(tmp_path)["exit_status"] == 2 and summary(tmp_path)["placed"] is True


@pytest.mark.parametrize(
    ("done", "reached", "status", "sentence"),
    [
        (True, True, 0, "the last goal was reached"),
        (True, False, 1, "the last goal was not reached: the planner gave it up"),
        (False, False, 1, "the last goal was not reached: time was up"),
    ],
)
def test_a_real_arm_has_reached_its_goal_only_if_the_planner_says_reached(
    make: Callable[..., Run], capsys: pytest.CaptureFixture, done: bool, reached: bool, status: int, sentence: str
) -> None:
    def act(run: LiveRun) -> Outcome:
        run.monitor.begun = "0a1b2c3d"
        run.monitor.status = PlannerStatus(run="0a1b2c3d", done=done, reached=reached, subgoal=2, subgoals=3)
        return pick_place.act(run)

    run = make(act, mode="real")
    assert run.run().status == status and run.asked == ["start", "stop"]
    assert sentence in capsys.readouterr().out


def test_a_folder_that_takes_nothing_is_found_before_anything_starts(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, value: object) -> None:
        raise WmError(f"cannot write {path}: No space left on device; free the space")

    monkeypatch.setattr("wm_core.results.write_json", full)
    run = make(lambda run: pytest.fail("nothing may start"))
    with pytest.raises(WmError, match="No space left"):
        run.run()
