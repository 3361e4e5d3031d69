"""A matrix crosses what it names; its episodes are the same however they are run, and are not run twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wm_bringup.commands import eval as command
from wm_core import config, seeds
from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_lab import matrix as matrices
from wm_lab.cell import Cell
from wm_lab.evaluate import Case, Episode, Timings
from wm_lab.ledger import Ledger
from wm_lab.matrix import Evaluation, MatrixConfig

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "eval" / "search.yaml"


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return command._cells(config.load(MatrixConfig, EXAMPLE), EXAMPLE.parent)


def episode(seed: int, placed: bool) -> Episode:
    return Episode(seed, placed, True, 0.01, None, 40, 7, 8, 0, 0, 0.1, Timings([17.0, 18.0], [0.6], 2.0))


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Episodes without a simulator: the search alone places in even scenes only. Returns the jobs that were done."""
    done: list[tuple[str, int]] = []

    def work(run, jobs, workers, tick):
        for cell, seed in jobs:
            tick()
            done.append((cell.name, seed))
            yield (cell, seed), episode(seed, cell.planner == "own" or seed % 2 == 0)

    monkeypatch.setattr(matrices, "work", work)
    return done


def test_the_example_crosses_what_it_names(cells: list[Cell]) -> None:
    assert [cell.name for cell in cells] == [
        "shipped, own, eight_goals",
        "shipped, own, four_goals",
        "shipped, search_alone, eight_goals",
        "shipped, search_alone, four_goals",
    ]
    assert ["trust" in cell.settings.costs for cell in cells] == [True, True, False, False]
    assert len({tuple(cell.ids.values()) for cell in cells}) == 4
    assert len({cell.ids["config_sha256"] for cell in cells}) == 4


def test_the_seeds_are_those_of_scores_unless_others_are_named() -> None:
    matrix = MatrixConfig({"a": "a"}, {"b": "b"})
    assert set(matrix.scenes) <= set(seeds.SCORES)
    assert not set(seeds.SCORES) & set(seeds.TUNING) and seeds.SCORES.stop < seeds.FIRST_TRAINING


def test_a_digest_tells_every_setting(cells: list[Cell]) -> None:
    cell = cells[0]
    others = [
        replace(cell, setup=replace(cell.setup, latency_s=0.07)),
        replace(cell, settings=replace(cell.settings, horizon=3)),
        replace(cell, controller=replace(cell.controller, rate_hz=100.0)),
        replace(cell, settings=replace(cell.settings, threads=2)),
        replace(cell, settings=replace(cell.settings, axes=Axes(0.1))),
    ]
    assert len({other.ids["config_sha256"] for other in [cell, *others]}) == 1 + len(others)
    assert replace(cell, bundle="other").ids["config_sha256"] == cell.ids["config_sha256"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"episodes": 0}, "episodes = 0 asks for no scene"),
        ({"seed": 999_999, "episodes": 2}, r"seeds within 0\.\.1000000; those above were trained on"),
        ({"bundles": {}}, "bundles is empty"),
        ({"planners": {}}, "planners is empty"),
        ({"cases": {"a": {"goals": 9}}}, "goals = 9 is outside 1..8"),
        ({"cases": {"a": {"max_steps": 0}}}, "max_steps = 0 lets nothing move"),
        ({"cases": {"a": {"latency_s": -0.1}}}, "latency_s = -0.1 must be"),
        ({"cases": {"a": {"turn_hand": True}}}, "nobody reads turn_hand without calibration"),
        ({"cases": {"a": {"gaols": 8}}}, "unknown key 'gaols'"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config.from_dict(MatrixConfig, {"bundles": {"a": "a"}, "planners": {"b": "b"}, **change})


def test_what_is_finished_is_not_run_again(cells: list[Cell], made_up: list[tuple[str, int]], tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"

    def stop() -> None:
        if len(made_up) == 5:
            raise KeyboardInterrupt

    with Ledger(path) as ledger, pytest.raises(KeyboardInterrupt):
        list(Evaluation(cells, range(3000, 3004), ledger).run(1, stop))
    text = path.read_text()
    path.write_text(text[:-20])  # as a kill leaves it
    with Ledger(path) as ledger:
        evaluation = Evaluation(cells, range(3000, 3004), ledger)
        assert len(evaluation.episodes) == 4 and evaluation.total == 16
        assert len(list(evaluation.run(1))) == 12
        assert len(made_up) == 17
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 16 and len({(line["planner"], line["case"], line["seed"]) for line in lines}) == 16
    with Ledger(path) as ledger:
        again = Evaluation(cells, range(3000, 3004), ledger)
        assert list(again.run(1)) == [] and again.as_dict() == evaluation.as_dict()


def test_lines_of_another_configuration_do_not_count(
    cells: list[Cell], made_up: list[tuple[str, int]], tmp_path: Path
) -> None:
    with Ledger(tmp_path / "lines.jsonl") as ledger:
        list(Evaluation(cells[:1], range(3000, 3003), ledger).run(1))
        other = replace(cells[0], setup=Case(max_steps=9))
        assert Evaluation([other], range(3000, 3003), ledger).episodes == []
        assert len(Evaluation(cells[:1], range(3001, 3009), ledger).episodes) == 2


def test_cells_that_differ_in_one_thing_are_compared_in_pairs(
    cells: list[Cell], made_up: list[tuple[str, int]]
) -> None:
    evaluation = Evaluation(cells, range(3000, 3012))
    list(evaluation.run(1))
    pairs = evaluation.pairs()
    assert len(pairs) == 4
    by_planner = next(p for p in pairs if "own, eight" in p.first and "alone, eight" in p.second)
    assert (by_planner.scenes, by_planner.only_first, by_planner.only_second, by_planner.p) == (12, 6, 0, 0.03125)
    by_case = next(p for p in pairs if "own, eight" in p.first and "own, four" in p.second)
    assert (by_case.only_first, by_case.only_second, by_case.p) == (0, 0, 1.0)
    text = evaluation.text()
    assert "shipped, search_alone, eight_goals  6 of 12" in text and "p = 0.0312" in text
    scores = evaluation.as_dict()
    assert scores["cells"][2]["config"]["planner"]["optimiser"]["samples"] == 256
    assert [cell["scores"]["placed"] for cell in scores["cells"]] == [12, 12, 6, 6]
