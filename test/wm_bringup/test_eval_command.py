"""``wm eval`` as a user ends it before its time, and a matrix of it that goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wm_bringup import cli, graph, paths
from wm_bringup.commands import eval as eval_command
from wm_lab.matrix import MatrixConfig


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


@pytest.fixture
def matrix(tmp_path: Path, tiny_bundle: Path, small_planner: Path) -> Path:
    """Two cases of one bundle and planner in four scenes."""
    path = tmp_path / "matrix.yaml"
    path.write_text(
        f"bundles: {{tiny: {tiny_bundle}}}\nplanners: {{small: {small_planner / 'planner.yaml'}}}\n"
        "cases: {short: {goals: 2, max_steps: 2}, long: {goals: 2, max_steps: 4}}\nepisodes: 4\n"
    )
    return path


def start(matrix: Path, lines: Path, workers: int) -> subprocess.Popen[str]:
    words = ["--matrix", matrix, "--lines", lines, "--workers", workers]
    return subprocess.Popen(
        [sys.executable, "-m", "wm_bringup.cli", "eval", *map(str, words)], stdout=subprocess.PIPE, text=True
    )


def wait_for(lines: Path, count: int, process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + 120.0
    while not lines.exists() or lines.read_bytes().count(b"\n") < count:
        assert time.monotonic() < until_s and process.poll() is None
        time.sleep(0.02)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def results_in(lines: Path) -> list[str]:
    """What does not depend on time, in an order of its own."""
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert all(line.pop("timings")["wall_s"] > 0.0 for line in found)
    return sorted(json.dumps(line, sort_keys=True) for line in found)


def test_the_results_of_a_matrix_are_the_same_whatever_happens_to_it(tmp_path: Path, matrix: Path) -> None:
    quiet, rough = tmp_path / "quiet.jsonl", tmp_path / "rough.jsonl"
    undisturbed = start(matrix, quiet, 1)
    undisturbed.communicate(timeout=240.0)
    assert undisturbed.returncode == 0

    process = start(matrix, rough, 2)
    wait_for(rough, 1, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    wait_for(rough, 3, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60.0)
    done = rough.read_bytes().count(b"\n")
    assert process.returncode == 130 and f"interrupted after {done} of 8 episodes" in out and 3 <= done < 8
    whole = rough.read_text()
    rough.write_text(whole + whole[:70])  # as a kill in the middle of a line leaves it

    again = start(matrix, rough, 2)
    out, _ = again.communicate(timeout=240.0)
    assert again.returncode == 0 and rough.read_text().startswith(whole)
    assert results_in(rough) == results_in(quiet) and len(results_in(rough)) == 8
    scores = json.loads(rough.with_suffix(".json").read_text())
    assert [cell["scores"]["episodes"] for cell in scores["cells"]] == [4, 4]
    assert scores["cells"][0]["config"]["case"]["max_steps"] == 2
    assert "tiny, small, short | tiny, small, long: of 4 scenes 0 placed by the first alone" in out


GATE = """
from dataclasses import dataclass
from wm_planner.gates import Gate

@dataclass(frozen=True)
class Never(Gate):
    kind: str = "never"

    def __call__(self, moment):
        return "not today"
"""


def test_a_kind_of_another_package_changes_the_results(
    tmp_path: Path, tiny_bundle: Path, small_planner: Path, foreign_package: Callable[..., Path]
) -> None:
    foreign_package({"lab/__init__.py": "", "lab/never.py": GATE}, {"wm_bringup.gates": {"never": "lab.never:Never"}})
    (tmp_path / "never.yaml").write_text((small_planner / "planner.yaml").read_text() + "gates: {never: {}}\n")
    (tmp_path / "matrix.yaml").write_text(
        f"bundles: {{tiny: {tiny_bundle}}}\nepisodes: 1\ncases: {{short: {{goals: 2, max_steps: 3}}}}\n"
        f"planners: {{small: {small_planner / 'planner.yaml'}, never: never.yaml}}\n"
    )
    process = start(tmp_path / "matrix.yaml", tmp_path / "lines.jsonl", 2)
    process.communicate(timeout=240.0)
    found = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert {line["planner"]: line["result"]["holds"] for line in found} == {"small": 0, "never": 3}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--goals", 3], "nobody reads --goals beside --matrix; put it into"),
        (["--seed", 1], "nobody reads --seed beside --matrix"),
        (["--hostile", 5], "nobody reads --hostile beside --matrix"),
        (["--workers", 0], "--workers 0 must be at least 1"),
    ],
)
def test_what_a_matrix_does_not_read_is_refused(
    matrix: Path, words: list[object], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["eval", "--matrix", str(matrix), *map(str, words)]) == 2
    assert says in capsys.readouterr().err


def test_planner_and_controller_are_those_of_the_live_graph() -> None:
    folder = paths.bundle_folder(paths.DEFAULT_BUNDLE)
    words = {"planner": {"costs.trust.weight": 0.3}, "controller": {"limits.speed_m_s": 0.09}}
    matrix = MatrixConfig(bundles={"it": str(folder)}, settings=words, threads=1)
    (cell,) = eval_command._cells(matrix, Path())
    declared = graph.pick_place("sim", bundle=folder, goal="", settings=words)
    live = {spec.name: graph.configuration(spec) for spec in declared.nodes}
    assert cell.settings == live["planner"] and cell.controller == live["controller"]
    assert cell.settings.limits.speed_m_s == 0.09 and cell.settings.costs["trust"].weight == 0.3
