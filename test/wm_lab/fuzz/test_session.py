"""A few of the adversarial sessions, and that they really are adversarial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wm_controller.controller import Controller
from wm_controller.interface import Command
from wm_lab.fuzz import LIMITS, RATES, Found, Session


def test_random_sessions_show_nothing_that_was_not_asked_for() -> None:
    total = Found()
    for seed in range(100_000, 100_120):
        total.add(Session(seed).run(120))
    assert total.violations == {}, (total.seeds, total.worst)
    assert total.commands > 5_000 and total.path_m > 2.0
    assert min(total.modes[mode] for mode in ("running", "holding", "stopped", "fault", "idle")) > 300
    assert len(total.happened) > 0.9 * len(RATES)


@pytest.mark.parametrize("name", LIMITS)
def test_each_set_of_limits(name: str) -> None:
    total = Found()
    for seed in range(8):
        total.add(Session(seed, LIMITS[name]).run(150))
    assert total.violations == {}, (total.seeds, total.worst)
    assert (total.path_m == 0.0) == (name == "no motion")


def test_a_session_is_its_seed() -> None:
    first, again, other = Session(5).run(100), Session(5).run(100), Session(6).run(100)
    assert first == again != other


def test_a_controller_that_cheats_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Controller.tick

    def cheat(self: Controller, now_s: float) -> Command:
        c = honest(self, now_s)
        far = None if c.pose is None else c.pose + np.array([0.002 * (round(now_s * 50) % 2), 0, 0, 0, 0, 0])
        return Command(far, c.gripper, c.mode, c.reason)

    monkeypatch.setattr(Controller, "tick", cheat)
    total = Found()
    for seed in range(3, 9):
        total.add(Session(seed).run(100))
    assert {"speed", "accel", "jerk"} <= set(total.violations) and set(total.seeds) <= set(range(3, 9))


def test_an_exception_of_the_controller_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Controller, now_s: float) -> Command:
        raise KeyError(now_s)

    monkeypatch.setattr(Controller, "tick", fails)
    assert any(name.startswith("raised KeyError") for name in Session(1).run(10).violations)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wm_lab.fuzz", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])


def test_the_command_prints_a_summary_and_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    results = str(tmp_path / "found.json")
    first = run("--sequences", "3", "--seed", "7", "--ticks", "20", "--json", results)
    assert first.returncode == 0, first.stderr
    assert "seeds 7..9" in first.stdout and "violations   0" in first.stdout
    assert json.loads(Path(results).read_text())["next_seed"] == 10
    both = run("--sequences", "5", "--seed", "7", "--ticks", "20", "--json", results)
    whole = run("--sequences", "5", "--seed", "7", "--ticks", "20")
    assert both.stdout == whole.stdout
    other = run("--sequences", "5", "--seed", "8", "--json", results)
    assert other.returncode != 0 and "from seed 7, not 8; name another file" in other.stderr
