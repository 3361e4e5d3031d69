import json
from pathlib import Path

import pytest

from wm_bringup import cli, graph, paths

SIM, PRESET = paths.preset("arms", "sim"), paths.preset("planner", "panda_pick_place")


def show(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert cli.run(["config", "show", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_value_is_shown_with_the_file_that_says_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "planner.yaml").write_text("optimiser: {samples: 64}\ngates: {surprise: {most: 0.3}}\n")
    (tmp_path / "controller.yaml").write_text("limits: {speed_m_s: 0.07}\n")
    found = show(capsys, "--config", str(tmp_path), "--set", "planner.costs.trust.weight=0.3")
    planner, own = found["planner"], str(tmp_path / "planner.yaml")
    assert planner["optimiser.samples"] == [64, own] and planner["gates.surprise.most"] == [0.3, own]
    assert planner["optimiser.iterations"] == [4, str(PRESET)] and planner["optimiser.seed"] == [0, ""]
    assert planner["costs.trust.weight"] == [0.3, "given"]
    for node in ("planner", "controller"):
        assert found[node]["limits.speed_m_s"] == [0.07, str(tmp_path / "controller.yaml")]
        assert found[node]["limits.accel_m_s2"][1] == (str(SIM) if "accel_m_s2" in SIM.read_text() else "")


@pytest.mark.parametrize("mode", ["sim", "mock_crisp"])
def test_it_is_what_the_nodes_get(capsys: pytest.CaptureFixture[str], mode: str) -> None:
    found = show(capsys, "--mode", mode)
    declared = graph.pick_place(mode, bundle=paths.bundle_folder(paths.DEFAULT_BUNDLE).resolve(), goal="goals")
    assert list(found) == [spec.name for spec in declared.nodes]
    for spec in declared.nodes:
        made = graph.configuration(spec)
        for key, (value, _) in found[spec.name].items():
            wanted = made
            for name in key.split("."):
                wanted = wanted[name] if isinstance(wanted, dict) else getattr(wanted, name)
            assert json.loads(json.dumps(wanted)) == value, (spec.name, key)


def test_one_node_and_what_is_no_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["config", "show", "planner", "--changed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "planner:" and all(line.startswith("  ") for line in lines[1:])
    assert any(line.split() == ["optimiser.samples", "128", str(PRESET)] for line in lines) or any(
        "optimiser.samples" in line and line.endswith("config/planner/panda_pick_place.yaml") for line in lines
    )
    assert not any("default" in line for line in lines)


def test_what_cannot_be_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        (["plannner"], "did you mean 'planner'?"),
        (["--set", "planner.samples=3"], "did you mean 'optimiser.samples'?"),
        (["--mode", "real"], "mode real has no model of its own"),
    ):
        assert cli.run(["config", "show", *words]) == 2
        assert says in capsys.readouterr().err
