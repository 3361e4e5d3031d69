"""The listening node of ``wm`` among messages that are not what they should be. Real ROS 2, no graph."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Empty, String

from wm_bringup.monitor import HEARTBEAT_PERIOD_S, Monitor
from wm_controller.node_config import ControllerNodeConfig
from wm_core.reports import PlannerStatus, Scene
from wm_ros import convert, qos

pytestmark = pytest.mark.live

STATUS = {"planned": False, "subgoal": 1, "subgoals": 8, "done": False, "run": "aa"}
SCENE = {"seed": 3, "placed": False, "goal_distance_m": 0.2}


class Cell:
    """A monitor, and a node that says to it what a test wants."""

    def __init__(self, simulated: bool = True) -> None:
        self.monitor = Monitor(["planner"], ControllerNodeConfig(), simulated)
        self.other = Node("other")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.monitor)
        self.executor.add_node(self.other)
        self.out: dict[str, Any] = {}

    def say(self, topic: str, text: str) -> None:
        self.publish(topic, String(data=text), qos.LATCHED)

    def publish(self, topic: str, msg: Any, profile: Any) -> None:
        if topic not in self.out:
            self.out[topic] = self.other.create_publisher(type(msg), topic, profile)
            assert self.wait(lambda: self.out[topic].get_subscription_count() > 0)
        self.out[topic].publish(msg)

    def wait(self, true: Callable[[], bool], timeout_s: float = 20.0) -> bool:
        until_s = time.monotonic() + timeout_s
        while not true() and time.monotonic() < until_s:
            self.executor.spin_once(timeout_sec=0.02)
        return true()


@pytest.fixture
def make() -> Iterator[Callable[..., Cell]]:
    rclpy.init()
    cells: list[Cell] = []

    def new(simulated: bool = True) -> Cell:
        cells.append(Cell(simulated))
        return cells[-1]

    yield new
    for cell in cells:  # or the next test would still see them in the graph
        cell.monitor.destroy_node()
        cell.other.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize("bad", ["{", "[]", '{"planned": 1}', json.dumps(STATUS | {"done": "yes"}), "\ud7ff" * 9])
def test_one_bad_report_is_counted_and_changes_nothing(
    make: Callable[..., Cell], capsys: pytest.CaptureFixture, bad: str
) -> None:
    cell = make()
    cell.say("planner/status", json.dumps(STATUS))
    assert cell.wait(lambda: cell.monitor.status is not None)
    for count in (1, 2):
        cell.say("planner/status", bad)
        assert cell.wait(lambda count=count: cell.monitor.bad["planner/status"] == count)  # type: ignore[misc]
    assert cell.monitor.status == PlannerStatus(subgoal=1, subgoals=8, run="aa") and not cell.monitor.done
    assert capsys.readouterr().err.count("a message on planner/status was ignored") == 1
    cell.say("planner/status", json.dumps(STATUS | {"subgoal": 2}))
    assert cell.wait(lambda: cell.monitor.status is not None and cell.monitor.status.subgoal == 2), "good ones count"


def test_other_topics_survive_as_well(make: Callable[..., Cell]) -> None:
    cell = make()
    cell.say("controller/state", '{"mode": "running"}')
    cell.say("sim/scene", json.dumps(SCENE | {"goal_distance_m": float("nan")}))
    picture = convert.image_to_msg(np.zeros((4, 4, 3), dtype=np.uint8), convert.s_to_stamp(1.0), "camera")
    picture.encoding = "no such thing"
    cell.publish("camera/image_raw", picture, qos.SENSOR)
    cell.publish("camera/image_raw", Image(), qos.SENSOR)
    topics = {"controller/state", "sim/scene", "camera/image_raw"}
    assert cell.wait(lambda: set(cell.monitor.bad) == topics), cell.monitor.bad
    assert cell.monitor.scene is None and cell.monitor.mode is None and cell.monitor.latest_frame is None


def test_two_that_speak_of_the_end_are_not_believed(make: Callable[..., Cell]) -> None:
    cell = make()
    cell.say("planner/status", json.dumps(STATUS))
    assert cell.wait(lambda: cell.monitor.status is not None)
    rival = Node("rival")
    out = rival.create_publisher(String, "planner/status", qos.LATCHED)
    assert cell.wait(lambda: cell.monitor.count_publishers("planner/status") == 2)
    for _ in range(3):
        out.publish(String(data=json.dumps(STATUS | {"done": True, "reached": True})))
    assert cell.wait(lambda: cell.monitor.bad["planner/status"] > 0)
    assert not cell.monitor.done
    rival.destroy_node()


def test_done_counts_for_the_run_that_began_last(make: Callable[..., Cell]) -> None:
    cell = make()

    def state(mode: str, run: str) -> None:
        cell.say("controller/state", json.dumps({"mode": mode, "reason": "", "stamp_s": 1.0, "run": run}))
        assert cell.wait(lambda: (cell.monitor.mode, cell.monitor.run) == (mode, run))

    state("idle", "aa")
    cell.say("planner/status", json.dumps(STATUS | {"done": True}))
    assert cell.wait(lambda: cell.monitor.status is not None) and not cell.monitor.done, "no run has begun"
    state("running", "aa")
    cell.say("planner/status", json.dumps(STATUS | {"done": True}))
    assert cell.wait(lambda: cell.monitor.done) and not cell.monitor.reached
    state("idle", "bb")
    assert cell.monitor.done, "the run has ended; the next one is only named"
    state("stopped", "bb")
    assert cell.monitor.done, "a stop begins no run"
    state("running", "bb")
    assert not cell.monitor.done


@pytest.mark.parametrize(("pause_s", "violations"), [(0.2, 1), (0.5, 0)])
def test_targets_that_begin_anew_elsewhere_are_another_stream(
    make: Callable[..., Cell], pause_s: float, violations: int
) -> None:
    """None is sent to an arm that a person moves, and then the first one is where the arm is."""
    cell = make()
    for stamp_s, x in ((100.0, 0.45), (100.0 + pause_s, 0.48)):
        msg = convert.pose_to_msg([x, 0.0, 0.3, np.pi, 0.0, 0.3], convert.s_to_stamp(stamp_s), "base")
        cell.monitor._on_target(msg)
    assert cell.monitor.envelope.violations == violations


def test_nobody_judges_a_real_arm(make: Callable[..., Cell]) -> None:
    cell = make(simulated=False)
    out = cell.other.create_publisher(String, "sim/scene", qos.LATCHED)
    out.publish(String(data=json.dumps(SCENE | {"placed": True})))
    cell.say("planner/status", json.dumps(STATUS))
    assert cell.wait(lambda: cell.monitor.status is not None)
    assert cell.monitor.scene is None and cell.monitor.placed is None
    assert Scene(**SCENE).placed is False


def test_the_heartbeat_comes_from_the_loop_and_not_too_often(make: Callable[..., Cell]) -> None:
    cell = make()
    heard: list[float] = []
    cell.other.create_subscription(Empty, "launcher/heartbeat", lambda _: heard.append(time.monotonic()), 10)
    cell.wait(lambda: False, 0.5)
    assert heard == [], "a loop that does not call it does not beat"
    cell.monitor.beat()
    assert cell.monitor.count_publishers("launcher/heartbeat") == 0, "it could only stop the arm of somebody else"
    cell.monitor.begin_to_beat()

    def beat() -> bool:
        cell.monitor.beat()
        return len(heard) >= 3

    began_s = time.monotonic()
    assert cell.wait(beat)
    assert len(heard) <= 1 + (time.monotonic() - began_s) / HEARTBEAT_PERIOD_S, "however often it is called"
