"""``wm pick_place`` as a user runs it: real processes, real ROS 2, a tiny bundle that is not good enough to place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String

from wm_ros import qos

pytestmark = pytest.mark.live

NODES = ("sim_arm", "encoder", "planner", "controller")


class Wm:
    """``wm pick_place`` in a session of its own."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "wm_bringup.cli", "pick_place", "--runs", folder / "runs", *words]
        with open(folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def children(self) -> dict[str, int]:
        """Pids by the module that each child runs."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                words = (stat.parent / "cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z" and "-m" in words:
                found[words[words.index("-m") + 1].rpartition(".")[2].removesuffix("_node")] = int(stat.parent.name)
        return found

    def state(self) -> str:
        """As in /proc: S sleeping, T stopped."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def text(self) -> str:
        return (self.folder / "output").read_text()

    def wait_for(self, true: Callable[[], bool], timeout_s: float = 90.0) -> None:
        until_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < until_s and self.process.poll() is None, self.text()
            time.sleep(0.1)

    def wait_until_it_moves(self) -> None:
        self.wait_for(lambda: "plan " in self.text().partition("sub-goal")[2])

    def end(self, timeout_s: float = 120.0) -> int:
        return self.process.wait(timeout_s)

    @property
    def summary(self) -> dict:
        return json.loads(next(self.folder.glob("runs/*/summary.json")).read_text())


def gone(pids: list[int], within_s: float = 3.0) -> bool:
    until_s = time.monotonic() + within_s
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture
def start(tmp_path: Path, tiny_bundle: Path, goal_folder: Path, small_planner: Path) -> Iterator[Callable[..., Wm]]:
    started: list[Wm] = []
    common = "--model", tiny_bundle, "--goal", goal_folder, "--config", small_planner, "--seed", 1

    def begin(*words: object) -> Wm:
        started.append(Wm(tmp_path, *common, *words))
        return started[-1]

    yield begin
    for wm in started:
        wm.process.kill()
        wm.process.wait()


def test_a_run_ends_by_itself_and_leaves_its_record(start: Callable[..., Wm]) -> None:
    wm = start("--max-seconds", 4)
    wm.wait_until_it_moves()
    children = wm.children()
    assert set(children) == set(NODES)
    shares = {name: "/dev/shm/fast" in Path(f"/proc/{pid}/maps").read_text() for name, pid in children.items()}
    assert shares["planner"] and not shares["controller"], "whoever is suspended there keeps all the others waiting"
    assert wm.end() == 1, wm.text()
    assert gone(list(children.values()))
    assert "not placed: the cube is" in wm.text()
    summary = wm.summary
    assert summary["exit_status"] == 1 and summary["placed"] is False and summary["plans"] > 0
    assert summary["commands"] > 0 and set(summary["nodes"]) == set(NODES)
    assert summary["nodes"]["planner"]["backend.precision"] == "float32"
    assert sum(summary["violations"].values()) == 0, summary["violations"]
    folder = next(wm.folder.glob("runs/*"))
    assert cv2.VideoCapture(str(folder / "run.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) > 10
    assert cv2.imread(str(folder / "energy.png")) is not None


def test_a_run_ends_when_the_planner_says_that_it_is_done(start: Callable[..., Wm]) -> None:
    hasty = "--set", "planner.subgoals.budget_steps=1", "--set", "planner.subgoals.done_budget_steps=1"
    wm = start(*hasty)
    assert wm.end() == 1, wm.text()
    assert wm.summary["done"] is True and wm.summary["subgoal"] == 2 and wm.summary["acting_s"] < 30.0
    assert "sub-goal 3/3" in wm.text()


@pytest.mark.parametrize("victim", ["planner", "controller"])
def test_a_node_that_is_killed_ends_the_run_and_is_named(start: Callable[..., Wm], victim: str) -> None:
    wm = start()
    wm.wait_until_it_moves()
    children = wm.children()
    os.kill(children[victim], signal.SIGKILL)
    assert wm.end() == 2, wm.text()
    assert f"{victim} was killed by SIGKILL" in wm.text()
    assert gone(list(children.values()))
    assert wm.summary["exit_status"] == 2


@pytest.mark.parametrize(
    ("number", "status", "moving"),
    [
        (signal.SIGINT, 130, True),
        (signal.SIGTERM, 143, True),
        (signal.SIGHUP, 129, True),
        (signal.SIGINT, 130, False),
    ],
    ids=lambda x: str(int(x)),
)
def test_a_signal_stops_the_arm_then_the_nodes(
    start: Callable[..., Wm], number: signal.Signals, status: int, moving: bool
) -> None:
    wm = start()
    if moving:
        wm.wait_until_it_moves()
    else:
        wm.wait_for(lambda: len(wm.children()) == len(NODES))
    children = wm.children()
    wm.process.send_signal(number)
    assert wm.end() == status, wm.text()
    assert gone(list(children.values()))
    assert "stopped by the user" in wm.text() and wm.summary["exit_status"] == status
    if moving:
        assert wm.summary["violations"]["stop"] == 0


def test_ctrl_z_stops_the_arm_and_the_time_goes_on(start: Callable[..., Wm]) -> None:
    wm = start("--max-seconds", 8)
    wm.wait_until_it_moves()
    wm.process.send_signal(signal.SIGTSTP)
    wm.wait_for(lambda: wm.state() == "T")
    assert "suspended; the arm is stopped" in wm.text()
    time.sleep(6.0)
    wm.process.send_signal(signal.SIGCONT)
    assert wm.end() == 1, wm.text()
    assert "continued; the arm is stopped; call resume to go on" in wm.text()
    summary = wm.summary
    assert summary["acting_s"] < 16.0 and summary["violations"]["stop"] == 0
    assert "the controller is stopped" in summary["outcome"]


@pytest.fixture
def stranger() -> Iterator[Node]:
    """Another node on the domain, which says what is none of its business."""
    rclpy.init()
    node = Node("stranger")
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_messages_that_are_none_do_not_change_the_outcome(start: Callable[..., Wm], stranger: Node) -> None:
    wm = start("--max-seconds", 8)
    wm.wait_until_it_moves()
    reports = {
        topic: stranger.create_publisher(String, topic, qos.LATCHED) for topic in ("planner/status", "sim/scene")
    }
    camera = stranger.create_publisher(Image, "camera/image_raw", qos.SENSOR)
    for _ in range(20):
        for publisher in reports.values():
            publisher.publish(String(data="{"))
        camera.publish(Image(encoding="no such", height=2, width=2, step=4, data=bytes(8)))
        time.sleep(0.1)
    assert wm.end() == 1, wm.text()
    assert "Traceback" not in wm.text() and "placed: the cube is" in wm.text()
    assert set(wm.summary["ignored_messages"]) >= {*reports, "camera/image_raw"}
    assert wm.text().count("a message on sim/scene was ignored") == 1, "said once"
    assert "messages that could not be used were ignored" in wm.text(), "and once more at the end"


def test_results_that_cannot_be_written_do_not_take_the_others_with_them(start: Callable[..., Wm]) -> None:
    """Something in the place of a file stands for a full disk: the write fails, whoever one is."""
    wm = start("--max-seconds", 4)
    wm.wait_until_it_moves()
    folder = next(wm.folder.glob("runs/*"))
    for name in ("summary.json", "energy.png"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()
    assert wm.end() == 2, wm.text()
    assert "the summary is lost: cannot write " in wm.text() and "the plot is lost: cannot write " in wm.text()
    assert "Traceback" not in wm.text() and "placed: the cube is" in wm.text()
    assert cv2.VideoCapture(str(folder / "run.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) > 10


def test_a_second_stack_on_the_same_domain_is_refused_and_nothing_is_left_of_the_first_when_it_is_killed(
    start: Callable[..., Wm], tmp_path: Path
) -> None:
    first = start()
    first.wait_until_it_moves()
    (tmp_path / "second").mkdir()
    command = first.process.args
    assert isinstance(command, list)
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2 and "already publishes" in second.stderr
    assert first.process.poll() is None, "the first one goes on"
    children = first.children()
    assert set(children) == set(NODES)
    first.process.kill()
    first.process.wait()
    assert gone(list(children.values()))


def test_a_configuration_that_is_refused_starts_nothing(start: Callable[..., Wm]) -> None:
    wm = start("--set", "encoder.thread=1")
    assert wm.end() == 2
    assert "wm: the configuration of encoder has an unknown key 'thread'; did you mean 'threads'?" in wm.text()
    assert not list(wm.folder.glob("runs/*"))


def test_a_truncated_network_is_refused(start: Callable[..., Wm], tiny_bundle: Path, tmp_path: Path) -> None:
    """Its checksum fits, as if it had been exported to a full disk."""
    import dataclasses

    from wm_models.bundle import Bundle, write_bundle

    half = tmp_path / "predictor.onnx"
    half.write_bytes((tiny_bundle / "predictor.onnx").read_bytes()[:200])
    spec = dataclasses.replace(Bundle.load(tiny_bundle).spec, files={})
    files = {"encoder.onnx": tiny_bundle / "encoder.onnx", "predictor.onnx": half}
    write_bundle(tmp_path / "half", spec, files, "# Half\n")
    wm = start("--model", tmp_path / "half")
    assert wm.end() == 2
    assert "planner cannot run: " in wm.text() and "predictor.onnx" in wm.text()
    assert wm.summary["commands"] == 0, "no motion"
