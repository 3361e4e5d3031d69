"""Everything that ``wm`` refuses before it starts a process: one sentence, status 2, no run folder."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wm_bringup import cli, paths
from wm_core.errors import ConfigError
from wm_core.parameters import from_words
from wm_core.share import share
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


@pytest.mark.parametrize("action", ["data generate", "models import", "models bench"])
def test_the_help_of_an_action_tells_no_default_where_there_is_none(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.run([*action.split(), "--help"])
    text = capsys.readouterr().out
    assert "--" in text and "(default: None)" not in text


def test_no_worker_generates_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--workers 0 must be at least 1" in refusal(capsys, "data", "generate", "--workers", 0, "--out", tmp_path)


def test_missing_bundle(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no model bundle at" in refusal(capsys, "pick_place", "--model", "no_such_model")
    assert not Path("runs").exists()


def test_damaged_bundle(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (broken / "encoder.onnx").open("ab") as file:
        file.write(b"x")
    assert "sha256 differs" in refusal(capsys, "pick_place", "--model", broken)


def test_goal_folder(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "pick_place", "--model", broken, "--goal", tmp_path / "goals"
    assert "there is no folder of goal pictures" in refusal(capsys, *command)
    (tmp_path / "goals").mkdir()
    assert "holds no goal pictures" in refusal(capsys, *command)
    (tmp_path / "goals" / "goal_0.png").write_bytes(b"no picture")
    assert "goal_0.png' is damaged" in refusal(capsys, *command)


def test_configuration(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = "pick_place", "--model", broken
    assert "unknown key 'rate_hzz'" in refusal(capsys, *command, "--set", "controller.rate_hzz=3")
    assert "no node 'pilot'" in refusal(capsys, *command, "--set", "pilot.x=3")
    assert "NODE.KEY=VALUE" in refusal(capsys, *command, "--set", "controller")
    said = refusal(capsys, *command, "--set", "controller.limits.speed_m_s=3")
    assert "only tighten" in said and ".yaml" not in said  # no file says it
    assert "must be positive" in refusal(capsys, *command, "--max-seconds", "nan")
    assert "needs --goal" in refusal(capsys, *command, "--mode", "real")
    (tmp_path / "controller.yaml").write_text("limit: {}")
    assert "controller.yaml) has an unknown key 'limit'" in refusal(capsys, *command, "--config", tmp_path)


def test_settings_are_typed() -> None:
    assert from_words(["a.b=1", "a.c.d=[1.0, 2.0]", "e.f=text", "e.g=null"]) == {
        "a": {"b": 1, "c.d": [1.0, 2.0]},
        "e": {"f": "text", "g": None},
    }
    with pytest.raises(ConfigError, match="not valid YAML"):
        from_words(["a.b=[1"])


def test_bundle_by_name_or_path(tmp_path: Path) -> None:
    assert paths.bundle_folder("some_name") == share() / "models" / "some_name"
    assert paths.bundle_folder(str(tmp_path)) == tmp_path
    assert paths.bundle_folder("a/b") == Path("a/b")


def test_run_folders_never_collide(tmp_path: Path) -> None:
    assert len({paths.new_run_folder(tmp_path) for _ in range(3)}) == 3


def test_goals_command_takes_pictures(tmp_path: Path) -> None:
    from wm_planner.goals import load_goals

    assert cli.run(["goals", "--seed", "2", "--count", "2", "--output", str(tmp_path / "goals")]) == 0
    pictures = load_goals(tmp_path / "goals")
    assert len(pictures) == 2 and not np.array_equal(pictures[0], pictures[1])


def test_pictures_that_are_there_are_not_mixed_with_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "goals"
    folder.mkdir()
    (folder / "goal_99.JPG").write_text("old")
    (folder / "notes.txt").write_text("mine")
    command = "goals", "--seed", "2", "--count", "2", "--output", folder
    said = refusal(capsys, *command)
    assert "holds 1 pictures already, such as goal_99.JPG" in said and "--force" in said and str(folder) in said
    assert "the number of goal pictures" in refusal(
        capsys, *command[:3], "--count", "99", "--output", folder, "--force"
    )
    assert (folder / "goal_99.JPG").exists(), "nothing goes before there is something new"
    assert cli.run([str(word) for word in (*command, "--force")]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["goal_00.png", "goal_01.png", "notes.txt"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mode", "real", "--goal", "g", "--seed", "3"], "nobody reads --seed 3: there is no simulated scene"),
        (["--mode", "real", "--goal", "g", "--goals", "3"], "nobody reads --goals 3: there is no simulated scene"),
        (["--goal", "g", "--goals", "3"], "nobody reads --goals 3: --goal gives the pictures; leave it out"),
        (["--arm", "droid"], "--arm droid is given, but not --mode: say --mode real, or --mode sim"),
        (["--set", "controler.rate_hz=3"], "no node 'controler' (did you mean 'controller'?)"),
        (["--set", "planner.subgoals={a: 1, a: 2}"], "has the key 'a' twice, in line 1"),
        (["--set", "planner.samples=3", "--set", "planner.samples=4"], "planner.samples is given a second time"),
        (["--set", "planner.subgoals={x: 1}", "--set", "planner.subgoals.x=2"], "planner.subgoals.x is given a second"),
        (["--set", "planner.subgoals=1", "--set", "planner.subgoals.x=2"], "goes deeper than the value of 'subgoals'"),
        (["--set", "planner.subgoals.x=2", "--set", "planner.subgoals=1"], "'subgoals' is given twice"),
        (["--drop-guard", "force_stop_n"], "the guard force_stop_n is of a real arm"),
        (["--set", "controller.role=calibrate"], "controller.role is given by whoever starts the graph"),
        (["--mode", "mock_crisp", "--set", "controller.force_stop_n=null"], "drops the guard force_stop_n"),
        (["--mode", "mock_crisp", "--arm", "fr3-crisp"], "did you mean 'fr3_crisp'?"),
    ],
)
def test_what_nobody_reads_or_may_say(
    broken: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, "pick_place", "--model", broken, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["pick_place", "--config", ""],
        ["pick_place", "--config="],
        ["pick_place", "--config", " "],
        ["pick_place", "--goal", ""],
        ["pick_place", "--model", ""],
        ["pick_place", "--mode", "real", "--arm", ""],
        ["pick_place", "--set", ""],
        ["pick_place", "--runs", ""],
        ["soak", "--config", ""],
        ["faults", "--config", ""],
        ["eval", "--model", ""],
        ["calibrate", "--out", ""],
        ["models", "verify", ""],
    ],
)
def test_an_empty_value_is_no_folder(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """That of a shell variable which is not set would be read as the present folder."""
    with pytest.raises(SystemExit) as ended:
        cli.run(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "its value is empty, such as a shell variable that is not set" in said
    assert said.startswith(f"usage: wm {words[0]}") and "\nwm " in said
    if (option := next((word for word in words[::-1] if word.startswith("--")), None)) is not None:
        assert f"argument {option.rstrip('=')}: " in said


def test_names_are_answered_with_the_nearest(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean 'panda_pick_place'?" in refusal(capsys, "eval", "--model", "panda-pick-place")
    monkeypatch.setitem(sys.modules, "torch", None)  # a name is no question of what is installed
    assert "did you mean 'vjepa2_ac'?" in refusal(capsys, "models", "import", "vjepa2-ac")
    assert "did you mean 'lewm'?" in refusal(capsys, "train", "--recipe", "lewn")
    assert "did you mean 'conv_jepa'?" in refusal(capsys, "models", "random", "conv-jepa", "--out", tmp_path / "x")


@pytest.mark.parametrize(
    "words",
    [
        ("export", "--run", "run", "--out"),
        ("models", "import", "lewm", "file", "--out"),
        ("models", "random", "conv_jepa", "--set", "colour=3", "--out"),
        ("models", "export", "bundle", "--out"),
        ("picture", "trace.npz"),
    ],
)
def test_what_is_there_is_replaced_only_by_force(
    broken: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.read_bytes() for path in broken.iterdir())
    said = refusal(capsys, *words, broken)
    assert f"{broken} exists already" in said and "--force" in said
    assert sorted(path.read_bytes() for path in broken.iterdir()) == before
    assert "exists already" not in refusal(capsys, *words, broken, "--force"), "another refusal: nothing to work on"


def test_an_export_goes_beside_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "file").touch()
    assert f"{tmp_path / 'bundle'} exists already" in refusal(capsys, "export", "--run", tmp_path)


class Command:
    """A command that does what a test wants of it."""

    __doc__ = "wm it: does it."

    def __init__(self, act: Callable[[], int]) -> None:
        self._act = act

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        pass

    def run(self, _: argparse.Namespace) -> int:
        return self._act()


def ends(error: BaseException) -> Callable[[], int]:
    def act() -> int:
        raise error

    return act


def signalled(number: signal.Signals) -> Callable[[], int]:
    def act() -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60.0)
        finally:
            print("ended in order")
        return 0

    return act


def interrupted_import() -> int:
    """As a back end's library does it, and then our sentence about that."""
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise ImportError("initialization failed") from interrupt
    except ImportError as error:
        raise ConfigError(f"the back end cannot be loaded ({error})") from None


@pytest.mark.parametrize(
    ("act", "status", "says"),
    [
        (lambda: 0, 0, ""),
        (lambda: 1, 1, ""),
        (ends(ConfigError("no such thing")), 2, "wm: no such thing"),
        (ends(ModuleNotFoundError("no", name="rclpy.node")), 2, "needs the Python module rclpy: source ROS 2's"),
        (ends(ModuleNotFoundError("no", name="sensor_msgs")), 2, "needs the Python module sensor_msgs: source ROS 2's"),
        (ends(ModuleNotFoundError("no", name="torch")), 2, "torch: .venv/bin/pip install -e '.[train]' (in the clone)"),
        (ends(ModuleNotFoundError("no", name="cv2")), 2, "needs the Python module cv2: run ./wm of the clone"),
        (ends(OSError(36, "File name too long", "xxx")), 2, "wm: 'xxx' cannot be used: File name too long"),
        (interrupted_import, 130, ""),
        (signalled(signal.SIGINT), 130, "ended in order"),
        (signalled(signal.SIGTERM), 143, "ended in order"),
        (signalled(signal.SIGHUP), 129, "ended in order"),
    ],
)
def test_exit_statuses(
    act: Callable[[], int], status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "command_modules", lambda: {"it": Command(act)})
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    assert cli.run(["it"]) == status
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
    said = capsys.readouterr()
    assert says in said.out + said.err


@pytest.mark.parametrize("plans", ["0", "-1"])
def test_no_hostile_plans_are_no_question(plans: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["eval", "--hostile", plans]) == 2
    assert f"--hostile {plans} asks for no plan; give a number of 1 or more" in capsys.readouterr().err


def test_a_fault_of_wm_itself_is_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "command_modules", lambda: {"it": Command(ends(ZeroDivisionError("why")))})
    with pytest.raises(SystemExit) as end:
        cli.main(["it"])
    assert end.value.code == 2 and "ZeroDivisionError: why" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    command = f"{sys.executable} -m wm_bringup.cli --help | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr


def test_a_bundle_is_found_where_the_repository_keeps_it() -> None:
    assert (share() / "config").is_dir() and (share() / "package.xml").is_file()
    assert bundles.SPEC_NAME == "bundle.yaml"


def test_ctrl_c_before_the_command_has_begun_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "command_modules", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main(["models", "list"])
    assert ended.value.code == cli.EXIT_INTERRUPTED and capsys.readouterr().err == ""
