"""Two hundred of the adversarial sessions, and that they really are adversarial."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wm_controller.controller import Controller
from wm_controller.fuzz import LIMITS, Found, Session
from wm_controller.interface import Command


def test_random_sessions_keep_every_limit() -> None:
    total = Found()
    for seed in range(100_000, 100_120):
        total.add(Session(seed).run(120))
    assert total.violations == {}, (total.seeds, total.worst)
    assert total.commands > 10_000 and total.path_m > 2.0
    assert min(total.modes[mode] for mode in ("running", "holding", "stopped", "fault")) > 300


@pytest.mark.parametrize("name", LIMITS)
def test_each_set_of_limits(name: str) -> None:
    total = Found()
    for seed in range(8):
        total.add(Session(seed, LIMITS[name]).run(150))
    assert total.violations == {}, (total.seeds, total.worst)
    assert (total.path_m == 0.0) == (name == "no motion")


def test_a_controller_that_cheats_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Controller.tick

    def cheat(self: Controller, now_s: float) -> Command:
        c = honest(self, now_s)
        far = None if c.pose is None else c.pose + np.array([0.002 * (round(now_s * 50) % 2), 0, 0, 0, 0, 0])
        return Command(far, c.gripper, c.mode, c.reason)

    monkeypatch.setattr(Controller, "tick", cheat)
    found = Session(3).run(100)
    assert {"speed", "accel", "jerk"} <= set(found.violations) and found.seeds == [3]


def test_the_command_prints_a_summary() -> None:
    command = [sys.executable, "-m", "wm_controller.fuzz", "--sequences", "3", "--seed", "7", "--ticks", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert "seeds 7..9" in done.stdout and "violations   0" in done.stdout
