"""What a run is told: made once of a command's options, and by nobody changed."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from wm_bringup.run_config import RunConfig
from wm_core.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the options set in it is taken back."""
    for name in ("OMP_NUM_THREADS", "MUJOCO_GL"):
        monkeypatch.setenv(name, "as it was")


def options(bundle: Path, **given: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"model": str(bundle), "set": [], "seed": None, "mode": None, **given})


def test_what_is_not_given_is_the_default(tiny_bundle: Path) -> None:
    assert RunConfig.of(options(tiny_bundle)) == RunConfig(tiny_bundle.resolve())


def test_options_become_fields(tiny_bundle: Path, goal_folder: Path) -> None:
    given = {"mode": "mock_crisp", "goal": goal_folder, "seed": 7, "max_seconds": 3.0, "drop_guard": ["force_stop_n"]}
    made = RunConfig.of(options(tiny_bundle, **given, minutes=5.0, **{"set": ["controller.rate_hz=50"]}))
    assert (made.mode, made.goal, made.seed, made.max_seconds) == ("mock_crisp", goal_folder, 7, 3.0)
    assert made.settings == ("controller.rate_hz=50",) and made.drop_guards == ("force_stop_n",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.seed = 8  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"max_seconds": 0.0}, "must be positive"),
        ({"goals": 9}, "within 1..8"),
        ({"mode": "real"}, "needs --goal"),
        ({"arm": "droid"}, "not --mode"),
        ({"mode": "real", "goal": Path("g"), "seed": 0}, "nobody reads --seed 0"),
    ],
)
def test_what_cannot_be_run_is_refused(tiny_bundle: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RunConfig.of(options(tiny_bundle, **wrong))


def test_its_graph_moves_only_as_long_as_we_live(tiny_bundle: Path, tmp_path: Path) -> None:
    declared = RunConfig(tiny_bundle, seed=3, settings=("planner.proposal=null",)).graph(tmp_path)
    controller = next(spec for spec in declared.nodes if spec.name == "controller")
    assert controller.parameters["launcher_heartbeat"] is True and controller.parameters["launcher_pid"] > 0
    assert declared.prepare == ("goals", "--seed", "3", "--count", "8", "--output", str(tmp_path))
    assert RunConfig(tiny_bundle, tmp_path).graph(tmp_path).prepare == ()
