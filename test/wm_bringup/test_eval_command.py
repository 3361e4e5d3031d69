"""``wm eval`` as a user ends it before its time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def command(bundle: Path, config: Path, *words: object) -> list[str]:
    few = ["--max-steps", 3, "--goals", 2, "--model", bundle, "--planner", config / "planner.yaml", *words]
    return [sys.executable, "-m", "wm_bringup.cli", "eval", *map(str, few)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_early_end_leaves_the_scores(
    tmp_path: Path, tiny_bundle: Path, small_planner: Path, number: signal.Signals, status: int
) -> None:
    path = tmp_path / "new" / "scores.json"
    process = subprocess.Popen(
        command(tiny_bundle, small_planner, "--episodes", 1000, "--json", path), stdout=subprocess.PIPE, text=True
    )
    until_s = time.monotonic() + 120.0
    while not path.exists():
        assert time.monotonic() < until_s and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60.0)
    assert process.returncode == status
    scores = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert scores["episodes"] >= 1 and scores["reach_error_m_median"] is None
    assert f"interrupted after {scores['episodes']} of 1000 episodes" in out
    assert f"placed            0 of {scores['episodes']}" in out


def test_a_place_that_takes_no_scores_is_found_first(tmp_path: Path, tiny_bundle: Path, small_planner: Path) -> None:
    (tmp_path / "file").write_text("")
    words = command(tiny_bundle, small_planner, "--episodes", 1000, "--json", tmp_path / "file" / "scores.json")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"wm: cannot write {tmp_path / 'file' / 'scores.json'}: " in done.stderr and "Traceback" not in done.stderr


def test_hostile_counts_are_written_as_well(tmp_path: Path, tiny_bundle: Path, small_planner: Path) -> None:
    path = tmp_path / "counts.json"
    words = command(tiny_bundle, small_planner, "--hostile", 10, "--json", path)
    assert subprocess.run(words, timeout=120, check=False).returncode == 0
    counts = json.loads(path.read_text())
    assert counts["plans"] + counts["holds"] >= 10 and counts["violations"] == 0
