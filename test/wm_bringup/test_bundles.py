"""Which model moves a real arm: one that a person names, and that says nothing against it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from wm_bringup import bundles, cli, graph, paths
from wm_core.errors import BundleError, ConfigError
from wm_models.bundle import SPEC_NAME

SIMULATED = [mode for mode in graph.MODES if mode != "real"]


@pytest.fixture
def marked(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A model that knows the simulator alone, under a name of its own."""
    folder = Path(shutil.copytree(tiny_bundle, tmp_path / "mine"))
    mark(folder, "simulator")
    return folder


def mark(folder: Path, trained_on: str) -> None:
    spec = folder / SPEC_NAME
    lines = [line for line in spec.read_text().splitlines() if not line.startswith("trained_on:")]
    spec.write_text("\n".join([*lines, f"trained_on: {trained_on}", ""]))


@pytest.mark.parametrize("name", [None, ""])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_real_arm_has_no_model_unless_one_is_named(name: str | None, dry_run: bool) -> None:
    with pytest.raises(ConfigError, match=r"mode real has no model .* model:=BUNDLE \(wm: --model BUNDLE\)"):
        bundles.chosen(name, "real", dry_run)


@pytest.mark.parametrize("mode", SIMULATED)
@pytest.mark.parametrize("name", [None, ""])
def test_in_simulation_the_shipped_one_is_taken(name: str | None, mode: str) -> None:
    assert bundles.chosen(name, mode).path == paths.bundle_folder(paths.DEFAULT_BUNDLE)


@pytest.mark.parametrize(("trained_on", "why"), [("simulator", "simulator's camera alone"), ("nothing", "random")])
def test_what_is_not_for_a_real_arm_is_only_looked_at(marked: Path, trained_on: str, why: str) -> None:
    mark(marked, trained_on)
    with pytest.raises(BundleError, match=f"{why}.* moves no real arm; .*dry_run:=true"):
        bundles.chosen(str(marked), "real")
    said: list[str] = []
    assert bundles.chosen(str(marked), "real", dry_run=True, warn=said.append).path == marked
    assert len(said) == 1 and why in said[0] and str(marked) in said[0]
    for mode in SIMULATED:
        assert bundles.chosen(str(marked), mode, warn=said.append).path == marked
    assert len(said) == 1, "in simulation there is nothing to warn of"


def test_the_shipped_one_is_marked() -> None:
    with pytest.raises(BundleError, match=f"{paths.DEFAULT_BUNDLE} was trained on the simulator"):
        bundles.chosen(paths.DEFAULT_BUNDLE, "real")


def test_any_other_moves_a_real_arm(tiny_bundle: Path) -> None:
    said: list[str] = []
    assert bundles.chosen(str(tiny_bundle), "real", warn=said.append).path == tiny_bundle and not said


@pytest.mark.parametrize(
    ("words", "says"),
    [([], "mode real has no model of its own"), (["--model", paths.DEFAULT_BUNDLE], "so it moves no real arm")],
)
def test_wm_refuses_before_anything_starts(
    goal_folder: Path,
    tmp_path: Path,
    words: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["pick_place", "--mode", "real", "--goal", str(goal_folder), *words]) == cli.EXIT_CANNOT_RUN
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("wm: ") and says in line and not Path("runs").exists()
