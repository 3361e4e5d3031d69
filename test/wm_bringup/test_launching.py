"""The launch files under real ``launch`` and ``launch_ros``, where ROS 2 is installed; its nodes are stand-ins."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

pytest.importorskip("launch_ros")

from wm_bringup import graph, launching
from wm_core.share import share

#: As `ros2 launch` does it (ros2launch/api/api.py).
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
file, *words = sys.argv[1:]
service = LaunchService(argv=words, noninteractive=True)
given = [word.split(":=", 1) for word in words]
include = IncludeLaunchDescription(AnyLaunchDescriptionSource(file), launch_arguments=given)
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""
#: Says how it was started. The controller then waits for the others, and ends as it is told to.
NODE = """#!/bin/sh
{ printf '%s\\n' "$@"; env; } > "$OUT/$(basename "$0").new" && mv "$OUT/$(basename "$0").new" "$OUT/$(basename "$0")"
while [ "$1" ]; do [ "$1" = --params-file ] && cat "$2" >> "$OUT/$(basename "$0").params"; shift; done
[ "$(basename "$0")" = controller_node ] || exec sleep 60
for i in $(seq 600); do [ "$(ls "$OUT" | grep -c 'node$')" -ge "$NODES" ] && break; sleep 0.05; done
eval "$END"
"""
#: An enclosing launch file: a group with a scope of its own around ours, and something after it.
OUTER = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription, SetEnvironmentVariable
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import PushRosNamespace, SetParameter, SetRemap

def generate_launch_description():
    ours = IncludeLaunchDescription(PythonLaunchDescriptionSource({file!r}), launch_arguments={given!r}.items())
    scope = [PushRosNamespace("lab"), SetRemap("latent", "other_latent"), SetParameter("use_sim_time", False)]
    scope += [SetEnvironmentVariable("WM_TEST_SCOPE", "inside"), ours]
    return LaunchDescription([DeclareLaunchArgument("robot_ip", default_value=""), GroupAction(scope)])
"""
ENDED = 'echo "controller_node: the arm is on fire" >&2; exit 2'


class Launched(NamedTuple):
    status: int
    text: str
    started: dict[str, str]  # what each node was started with, by name of its executable
    params: dict[str, str]


Launch = Callable[..., Launched]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """Run a launch file to its end."""
    prefix, out = tmp_path / "prefix", tmp_path / "out"
    (prefix / "share" / "ament_index" / "resource_index" / "packages").mkdir(parents=True)
    (prefix / "share" / "ament_index" / "resource_index" / "packages" / "wm_bringup").touch()
    (prefix / "lib" / "wm_bringup").mkdir(parents=True)
    out.mkdir()
    for module, _, _ in graph._MODULES.values():
        script = prefix / "lib" / "wm_bringup" / module.rpartition(".")[2]
        script.write_text(NODE)
        script.chmod(0o755)

    def run(*words: object, file: Path | str = "pick_place.launch.py", end: str = ENDED, **more: str) -> Launched:
        path = Path(file) if Path(file).is_absolute() else share() / "launch" / file
        here = {"OUT": str(out), "END": end, "NODES": "4", "ROS_LOG_DIR": str(tmp_path / "log")}
        environment = {**os.environ, **here, **more, "AMENT_PREFIX_PATH": str(prefix)}
        command = [sys.executable, "-c", LAUNCH, str(path), *map(str, words)]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=120)
        started = {file.name: file.read_text() for file in out.glob("*_node")}
        given = {file.stem: file.read_text() for file in out.glob("*.params")}
        return Launched(ended.returncode, ended.stdout + ended.stderr, started, given)

    return run


@pytest.fixture
def cell(tiny_bundle: Path, goal_folder: Path, small_planner: Path) -> list[str]:
    return [f"model:={tiny_bundle}", f"config:={small_planner}", "mode:=sim", f"goal:={goal_folder}"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["modle:=x"], "no launch argument 'modle' (did you mean 'model'?); there are: arm, camera, config"),
        (["out:=x"], "no launch argument 'out'"),
        (["mode:=moon"], "no mode 'moon'; there are: mock_crisp, real, sim"),
        (["mode:="], "goal:="),  # refused because of the goal, see cell
        (["camera:=/x", "mode:="], "camera:=/x is given, but not mode: say mode:=real, or mode:=sim"),
        (["arm:=droid", "mode:="], "arm:=droid is given, but not mode"),
        (["mode:=real", "goal:="], "a real arm needs goal:=FOLDER"),
        (["mode:=real", "model:="], "mode real has no model of its own"),
        (["mode:=real", "model:=", "dry_run:=true"], "name one that was trained for yours: model:=BUNDLE"),
        (["mode:=real", "model:=panda_pick_place"], "the simulator's camera alone, so it moves no real arm"),
        (["mode:=real", "seed:=3"], "nobody reads seed:=3"),
        (["seed:=-1"], "the seed '-1' is no whole number within 0..4294967295; give one, such as 3"),
        (["seed:=9999999999999999999"], "the seed '9999999999999999999' is no whole number within 0..4294967295"),
        (["seed:=\u00b2"], "is no whole number within"),
        (["mode:=real", "arm:=droid", "camera:=a b"], "camera:='a b' is no ROS topic: "),
        (["mode:=real", "arm:=droid", "camera:=/c//"], "give one as 'ros2 topic list' shows it, such as /camera/"),
        (["mode:=real", "arm:=droid", "camera:=/compressed"], "camera:='/compressed' is no ROS topic: "),
        (["dry_run:=yes"], "dry_run:=yes must be true or false"),
        (["namespace:=1st"], "namespace:=1st is no ROS namespace, such as left_arm"),
        (["model:=panda-pick-place"], "did you mean 'panda_pick_place'?"),
        (["goal:=nowhere"], "there is no folder of goal pictures"),
        (["drop_guards:=robot"], "the guard robot is of a real arm"),
        (["model:=\udcff"], "model:='\\udcff' has characters that cannot be shown; leave them out"),
        (["camera:=/x"], "nobody reads the camera's topic /x in mode sim, which has a camera; leave it out"),
    ],
)
def test_what_is_refused_starts_nothing_and_fails(launch: Launch, cell: list[str], words: list[str], says: str) -> None:
    found = launch(*cell, *words)
    assert found.status == 1 and says in found.text and "Traceback" not in found.text
    assert not found.started


def test_a_node_that_ends_is_a_failure_with_its_own_sentence(launch: Launch, cell: list[str]) -> None:
    found = launch(*cell)
    assert found.status == 1 and "controller ended: the arm is on fire" in found.text
    assert set(found.started) == {"sim_arm_node", "encoder_node", "planner_node", "controller_node"}


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("exit 0", "controller ended: its exit status is 0, and what it said stands above"),
        ("kill -SEGV $$", "controller was killed by SIGSEGV"),
    ],
)
def test_a_node_that_says_nothing_is_a_failure_as_well(launch: Launch, cell: list[str], end: str, says: str) -> None:
    found = launch(*cell, end=end)
    assert found.status == 1 and says in found.text


def test_interrupted_it_ends_well(launch: Launch, cell: list[str]) -> None:
    # The parent of the stand-in is launch itself.
    found = launch(*cell, end='kill -INT "$PPID"; exec sleep 60')
    assert found.status == 0 and "Caught exception" not in found.text


def test_parameters_arrive_as_they_were_meant(launch: Launch, cell: list[str], tmp_path: Path) -> None:
    odd = tmp_path / "a: b #c"
    odd.mkdir()
    (odd / "planner.yaml").write_text("proposal: null\n")
    found = launch(*cell, f"config:={odd}", "dry_run:=true")
    assert f"- '{odd}/planner.yaml'" in found.params["planner_node"]
    assert "arm.kind: dry_run" in found.params["controller_node"]
    assert "launcher_pid" in found.params["controller_node"]


def test_a_simulated_model_on_a_real_arm_is_only_looked_at(launch: Launch, cell: list[str]) -> None:
    words = [*cell, "mode:=real", "model:=panda_pick_place", "dry_run:=true"]
    found = launch(*words, "camera:=/cam/image", NODES="3")
    assert "without dry_run:=true it is refused" in found.text and len(found.started) == 3


def test_a_namespace_is_that_of_all_nodes(launch: Launch, cell: list[str]) -> None:
    found = launch(*cell, "namespace:=left/arm")
    assert all("\n__ns:=/left/arm\n" in text for text in found.started.values()) and len(found.started) == 4


def test_a_camera_brings_its_compressed_topic(launch: Launch, cell: list[str]) -> None:
    found = launch(*cell, "mode:=real", "camera:=/cam/image", NODES="3")
    assert "camera/image_raw:=/cam/image\n" in found.started["encoder_node"]
    assert "camera/image_raw/compressed:=/cam/image/compressed\n" in found.started["encoder_node"]
    assert "no planner preset" not in found.text, "the folder has one"


@pytest.mark.parametrize("recorded", [False, True])
def test_the_scope_around_the_file_holds_for_all_nodes(
    launch: Launch, cell: list[str], tmp_path: Path, recorded: bool
) -> None:
    """Also for those that start when the goals have been recorded, long after the scope was left."""
    given = dict(word.split(":=") for word in (cell[:3] if recorded else cell))
    outer = tmp_path / "outer.launch.py"
    outer.write_text(OUTER.format(file=str(share() / "launch" / "pick_place.launch.py"), given=given))
    found = launch("robot_ip:=1.2.3.4", "namespace:=ours_is_not_this", file=outer)
    assert "controller ended: the arm is on fire" in found.text and len(found.started) == 4
    for text in found.started.values():
        assert "\n__ns:=/lab\n" in text and "\nlatent:=other_latent\n" in text
        assert "\nuse_sim_time:=False\n" in text and "\nWM_TEST_SCOPE=inside\n" in text


def test_each_node_knows_what_the_graph_says_to_it(launch: Launch, cell: list[str], tmp_path: Path) -> None:
    """So that it refuses what another launch file around ours says to it; see wm_ros.params."""
    given = dict(word.split(":=") for word in cell)
    outer, around = tmp_path / "outer.launch.py", tmp_path / "around.yaml"
    around.write_text("controller: {ros__parameters: {force_stop_n: 'null'}}\n")
    text = OUTER.format(file=str(share() / "launch" / "pick_place.launch.py"), given=given)
    text = text.replace("SetParameter, SetRemap", "SetParameter, SetParametersFromFile, SetRemap")
    text = text.replace(
        ", ours]",
        f', SetParametersFromFile({str(around)!r}), SetEnvironmentVariable("WM_GRAPH_PARAMETERS", "x"), ours]',
    )
    outer.write_text(text)
    found = launch(file=outer)
    assert len(found.started) == 4
    for name, started in found.started.items():
        (said,) = re.findall(r"^WM_GRAPH_PARAMETERS=(.*)$", started, re.MULTILINE)
        theirs, ours = yaml.safe_load(found.params[name]).values()
        assert theirs["ros__parameters"] == {"force_stop_n": "null"}
        assert json.loads(said) == ours["ros__parameters"]


def test_what_an_enclosing_file_gives_is_checked_as_well(launch: Launch, cell: list[str], tmp_path: Path) -> None:
    given = dict(word.split(":=") for word in cell) | {"modle": "x"}
    outer = tmp_path / "outer.launch.py"
    outer.write_text(OUTER.format(file=str(share() / "launch" / "pick_place.launch.py"), given=given))
    found = launch(file=outer)
    assert found.status == 1 and "no launch argument 'modle'" in found.text and not found.started


def test_what_is_not_installed_is_named(launch: Launch, cell: list[str], tmp_path: Path) -> None:
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "mujoco.py").write_text("raise ModuleNotFoundError('none', name='mujoco')\n")
    found = launch(*cell[:3], PYTHONPATH=f"{tmp_path / 'blocked'}:{os.environ.get('PYTHONPATH', '')}")
    assert "the expert who takes the goal pictures ended: the simulator needs MuJoCo" in found.text
    assert found.status == 1 and "Traceback" not in found.text and not found.started


def test_killed_it_takes_its_nodes_with_it(launch: Launch, cell: list[str], tmp_path: Path) -> None:
    found = launch(*cell, end='echo $$ > "$OUT/pid"; kill -KILL "$PPID"; exec sleep 60')
    assert found.status == -signal.SIGKILL
    pids = [int((tmp_path / "out" / "pid").read_text())]
    until_s = time.monotonic() + 10.0
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_calibration_has_its_own_arguments(launch: Launch, cell: list[str]) -> None:
    file = "calibrate.launch.py"
    assert "no launch argument 'goal'" in launch(*cell, file=file).text
    assert "out:=FOLDER/camera.yaml is given, but not mode" in launch("out:=FOLDER/camera.yaml", file=file).text
    assert "needs out:=FILE" in launch(cell[0], "mode:=real", file=file).text
    assert "mode real has no model of its own" in launch("mode:=real", "out:=camera.yaml", file=file).text
    assert set(launching.CALIBRATE) == {*launching.COMMON, "out"}
