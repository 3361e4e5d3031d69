"""Everything that ``wm`` refuses before it starts a process: one sentence, status 2, no run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from wm_bringup import cli, paths
from wm_bringup.pick_place import parse_settings
from wm_core.errors import ConfigError
from wm_models import bundle as bundles


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert cli.run([str(word) for word in words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("wm: ")
    return lines[0]


@pytest.fixture
def broken(tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundle that a test may damage; the working folder is the test's own."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(tiny_bundle, tmp_path / "broken"))


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.command_modules():
        with pytest.raises(SystemExit) as end:
            cli.run([name, "--help"])
        assert end.value.code == 0 and f"wm {name}" in capsys.readouterr().out


def test_missing_bundle(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no model bundle at" in refusal(capsys, "pick_place", "--model", "no_such_model")
    assert not Path("runs").exists()


def test_damaged_bundle(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (broken / "encoder.onnx").open("ab") as file:
        file.write(b"x")
    assert "sha256 differs" in refusal(capsys, "pick_place", "--model", broken)


def test_goal_folder(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "pick_place", "--model", broken, "--goal", tmp_path / "goals"
    assert "there is no folder of goal images" in refusal(capsys, *command)
    (tmp_path / "goals").mkdir()
    assert "holds no goal images" in refusal(capsys, *command)
    (tmp_path / "goals" / "goal_0.png").write_bytes(b"no picture")
    assert "goal_0.png is damaged" in refusal(capsys, *command)


def test_configuration(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "pick_place", "--model", broken
    assert "unknown key 'rate_hzz'" in refusal(capsys, *command, "--set", "controller.rate_hzz=3")
    assert "no node 'pilot'" in refusal(capsys, *command, "--set", "pilot.x=3")
    assert "NODE.KEY=VALUE" in refusal(capsys, *command, "--set", "controller")
    assert "only tighten" in refusal(capsys, *command, "--set", "controller.limits.speed_m_s=3")
    assert "must be positive" in refusal(capsys, *command, "--max-seconds", "nan")
    assert "needs --goal" in refusal(capsys, *command, "--mode", "real")
    (tmp_path / "controller.yaml").write_text("limit: {}")
    assert "controller.yaml) has an unknown key 'limit'" in refusal(capsys, *command, "--config", tmp_path)


def test_settings_are_typed() -> None:
    assert parse_settings(["a.b=1", "a.c.d=[1.0, 2.0]", "e.f=text", "e.g=null"]) == {
        "a": {"b": 1, "c.d": [1.0, 2.0]},
        "e": {"f": "text", "g": None},
    }
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse_settings(["a.b=[1"])


def test_bundle_by_name_or_path(tmp_path: Path) -> None:
    assert paths.bundle_folder("some_name") == paths.share() / "models" / "some_name"
    assert paths.bundle_folder(str(tmp_path)) == tmp_path
    assert paths.bundle_folder("a/b") == Path("a/b")


def test_run_folders_never_collide(tmp_path: Path) -> None:
    assert len({paths.new_run_folder(tmp_path) for _ in range(3)}) == 3


def test_goals_command_takes_pictures(tmp_path: Path) -> None:
    from wm_planner.goals import load_goals

    assert cli.run(["goals", "--seed", "2", "--count", "2", "--output", str(tmp_path / "goals")]) == 0
    pictures = load_goals(tmp_path / "goals")
    assert len(pictures) == 2 and not np.array_equal(pictures[0], pictures[1])


def test_a_bundle_is_found_where_the_repository_keeps_it() -> None:
    assert (paths.share() / "config").is_dir() and (paths.share() / "package.xml").is_file()
    assert bundles.SPEC_NAME == "bundle.yaml"
