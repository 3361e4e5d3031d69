"""One fault of the campaign as a user does it: real processes, real ROS 2, a tiny bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_bringup import proc
from wm_bringup.faults.table import FAULTS

pytestmark = pytest.mark.live


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "wm_bringup.cli", "faults", *map(str, words)]


@pytest.fixture
def words(tmp_path: Path, tiny_bundle: Path, goal_folder: Path, small_planner: Path) -> list[object]:
    # No sub-goal is ever passed or reached, so that the arm has somewhere to go when the fault comes.
    forever = ["reached_fraction=0.0", "plateau_steps=1000000", "budget_steps=1000000"]
    settings = [word for rule in forever for word in ("--set", f"planner.subgoals.{rule}")]
    common = ["--model", tiny_bundle, "--goal", goal_folder, "--config", small_planner, "--seed", 1]
    return [*common, *settings, "--runs", tmp_path / "runs", "--json", tmp_path / "faults.json"]


def test_a_killed_planner_ends_in_a_hold(words: list[object], tmp_path: Path) -> None:
    done = subprocess.run(
        command("--only", "planner_killed", *words), capture_output=True, text=True, timeout=120, check=False
    )
    (result,) = json.loads((tmp_path / "faults.json").read_text())
    measures = result["measures"]
    assert measures is not None, done.stdout + done.stderr
    assert measures["outcome"] == "holding" and measures["reason"] and measures["hold_s"] >= 0.0
    assert measures["arm_travel_m"] > 0.0 and measures["violations"] == {}
    assert result["exit_status"] == 2 and result["message"].startswith("planner was killed by SIGKILL")
    assert result["orphans"] == 0
    assert done.returncode == int(bool(result["failures"])), "the exit status says whether it went as declared"
    assert "planner_killed" in done.stdout


def test_ctrl_c_leaves_nothing_behind(words: list[object]) -> None:
    with subprocess.Popen(command("--only", "planner_killed", *words), start_new_session=True) as process:
        until_s = time.monotonic() + 60.0
        while len(proc.nodes(process.pid)) < 4 and time.monotonic() < until_s:
            time.sleep(0.05)
        children = proc.children(process.pid)
        assert len(children) >= 4
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30.0) == 130
    assert proc.in_sessions(children) == []


def test_the_list_names_every_fault() -> None:
    done = subprocess.run(command("--list"), capture_output=True, text=True, timeout=60, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [fault.name for fault in FAULTS]


def test_a_fault_that_this_machine_cannot_do_is_not_run(words: list[object], tmp_path: Path) -> None:
    done = subprocess.run(
        command("--only", "clock_set_back", *words),
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and "not run: needs gcc" in done.stdout, done.stderr
