"""What a running graph does with bad input: it holds with a reason, and goes on when good input is back.

The real nodes run over real ROS 2; between them and the simulated arm stands this test's relay, which can be silent or
lie. Faults come one after the other in one graph, because bringing it up takes most of the time.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from wm_bringup import graph
from wm_bringup.processes import Processes
from wm_controller.interface import RESUME_SILENCE_S
from wm_ros import convert, qos

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Relay(Node):
    """Passes camera, latents and measured pose on, altered by ``camera``, ``latent``, ``pose`` (None: not at all)."""

    def __init__(self) -> None:
        super().__init__("relay")
        self.camera: Callable[[Image], Image | None] = lambda msg: msg
        self.pose: Callable[[PoseStamped], PoseStamped | None] = lambda msg: msg
        self.latent: Callable[[Image], Image | None] = lambda msg: msg
        self.measured = np.zeros(6)
        self.state: dict[str, str] = {}
        self.status: dict[str, object] = {}
        self.reasons: set[str] = set()
        self._camera = self.create_publisher(Image, "camera/image_raw", qos.SENSOR)
        self._pose = self.create_publisher(PoseStamped, "arm/current_pose", qos.SENSOR)
        self._latent = self.create_publisher(Image, "latent", qos.SENSOR)
        self.create_subscription(Image, "true/image_raw", self._on_image, qos.SENSOR)
        self.create_subscription(Image, "true/latent", self._on_latent, qos.SENSOR)
        self.create_subscription(PoseStamped, "true/current_pose", self._on_pose, qos.SENSOR)
        self.create_subscription(String, "controller/state", self._on_state, qos.LATCHED)
        self.create_subscription(String, "planner/status", self._on_status, qos.LATCHED)

    def _on_image(self, msg: Image) -> None:
        if (passed := self.camera(msg)) is not None:
            self._camera.publish(passed)

    def _on_latent(self, msg: Image) -> None:
        if (passed := self.latent(msg)) is not None:
            self._latent.publish(passed)

    def _on_pose(self, msg: PoseStamped) -> None:
        self.measured = convert.msg_to_pose(msg)
        if (passed := self.pose(msg)) is not None:
            self._pose.publish(passed)

    def _on_state(self, msg: String) -> None:
        self.state = json.loads(msg.data)
        self.reasons.add(f"{self.state['mode']}: {self.state['reason']}")

    def _on_status(self, msg: String) -> None:
        self.status = json.loads(msg.data)
        self.reasons.add(f"planner: {self.status['reason']}")


class Rig:
    def __init__(self, relay: Relay, executor: SingleThreadedExecutor, children: Processes) -> None:
        self.relay, self.children, self._executor = relay, children, executor

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            self._executor.spin_once(timeout_sec=0.05)
            assert self.children.ended() is None, str(self.children.ended())
        return until()

    def call(self, service: str) -> Trigger.Response:
        client = self.relay.create_client(Trigger, service)
        assert self.spin(20.0, client.service_is_ready)
        answer = client.call_async(Trigger.Request())
        assert self.spin(20.0, answer.done)
        return answer.result()

    def resume(self) -> None:
        """As a person: who is told to wait does so."""
        if "call resume once" in self.call("resume").message:
            self.spin(RESUME_SILENCE_S + 0.2)
            self.call("resume")

    def mode(self, wanted: str, within_s: float = 20.0) -> bool:
        return self.spin(within_s, lambda: self.relay.state.get("mode") == wanted)

    def holds(self, because: str) -> None:
        """The controller holds with this reason; after a while it waits for a person."""
        assert self.spin(20.0, lambda: any(because in reason for reason in self.relay.reasons)), self.relay.reasons
        assert self.spin(20.0, lambda: self.relay.state.get("mode") in ("holding", "stopped"))

    def rests(self) -> None:
        self.spin(1.0)
        before = self.relay.measured.copy()
        self.spin(1.0)
        assert np.linalg.norm(self.relay.measured[:3] - before[:3]) < 0.005

    def goes_on(self) -> None:
        """Nothing is wrong any more, and a person has seen to it where that was asked for."""
        self.relay.camera = self.relay.pose = self.relay.latent = lambda msg: msg
        for _ in range(20):
            if self.mode("running", 1.5):  # a resume just after a stop is refused
                break
            if self.relay.state["mode"] == "stopped":
                self.resume()
        assert self.relay.state["mode"] == "running", self.relay.state
        self.relay.reasons.clear()


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    rclpy.init()
    made = Relay()
    yield made
    made.destroy_node()
    rclpy.shutdown()


@pytest.fixture(scope="module")
def rig(
    relay: Relay, tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, goal_folder: Path, small_planner: Path
) -> Iterator[Rig]:
    # No sub-goal is ever passed or reached, so that the planner has work for as long as the test lasts.
    forever = {"subgoals.reached_fraction": 0.0, "subgoals.plateau_steps": 1e6, "subgoals.budget_steps": 1e6}
    declared = graph.pick_place(
        "sim",
        bundle=tiny_bundle,
        goal=goal_folder,
        seed=1,
        record_goal=False,
        config=small_planner,
        settings={"planner": forever},
    )
    bypass = {
        "sim_arm": (("camera/image_raw", "true/image_raw"), ("arm/current_pose", "true/current_pose")),
        "encoder": (("latent", "true/latent"),),
    }
    executor = SingleThreadedExecutor()
    executor.add_node(relay)
    with Processes(tmp_path_factory.mktemp("log")) as children:
        for spec in declared.nodes:
            children.start_node(dataclasses.replace(spec, remappings=bypass.get(spec.name, ())))
        rig = Rig(relay, executor, children)
        assert rig.spin(60.0, lambda: relay.status.get("reason") == "the controller is idle"), relay.status
        yield rig


def test_idle_until_start(rig: Rig) -> None:
    home = rig.relay.measured.copy()
    rig.spin(1.0)
    assert rig.relay.state["mode"] == "idle"
    np.testing.assert_allclose(rig.relay.measured, home, atol=2e-3)
    assert rig.call("start").success
    rig.goes_on()


def test_a_camera_that_stops_for_two_seconds(rig: Rig) -> None:
    rig.relay.camera = lambda _: None
    rig.holds("plan watchdog")
    rig.rests()
    rig.goes_on()


def test_a_camera_with_another_frame_id(rig: Rig) -> None:
    def lie(msg: Image) -> Image:
        msg.header.frame_id = "another_camera"
        return msg

    rig.relay.camera = lie
    rig.holds("plan watchdog")
    rig.rests()
    rig.goes_on()


def test_a_camera_whose_clock_is_wrong(rig: Rig) -> None:
    def lie(msg: Image) -> Image:
        msg.header.stamp.sec -= 5
        return msg

    rig.relay.camera = lie
    rig.holds("plan watchdog")
    rig.goes_on()


def test_a_pose_in_another_frame(rig: Rig) -> None:
    def lie(msg: PoseStamped) -> PoseStamped:
        msg.header.frame_id = "world"
        return msg

    rig.relay.pose = lie
    rig.holds("arm/current_pose: the frame id is 'world', not 'base'")
    rig.rests()
    rig.goes_on()


def test_a_pose_that_is_not_a_number(rig: Rig) -> None:
    def lie(msg: PoseStamped) -> PoseStamped:
        msg.pose.position.z = float("nan")
        return msg

    rig.relay.pose = lie
    rig.holds("not finite")
    rig.goes_on()


def test_an_arm_that_stops_reporting(rig: Rig) -> None:
    rig.relay.pose = lambda _: None
    rig.holds("no arm state for")
    rig.goes_on()


def test_a_latent_that_is_not_a_number(rig: Rig) -> None:
    nan = np.full((1, 48), np.nan, dtype=np.float32)
    rig.relay.latent = lambda msg: convert.latent_to_msg(nan, msg.header.stamp, msg.header.frame_id)
    rig.holds("planner: the latent holds a number that is not finite")
    rig.rests()
    rig.goes_on()


def test_stop_latches_and_only_resume_clears_it(rig: Rig) -> None:
    answer = rig.call("stop")
    assert answer.success and "resume" in answer.message
    assert rig.mode("stopped", 5.0)
    rig.rests()
    assert not rig.call("start").success
    assert rig.relay.state["mode"] == "stopped"
    rig.resume()
    assert rig.relay.state["mode"] != "stopped"
    rig.goes_on()


def test_a_second_publisher_stops_the_arm(rig: Rig) -> None:
    rival = rig.relay.create_publisher(PoseStamped, "arm/target_pose", qos.COMMAND)
    assert rig.mode("stopped", 10.0)
    assert "also publishes" in rig.relay.state["reason"]
    for _ in range(20):
        rival.publish(convert.pose_to_msg([0.6, 0.3, 0.1, np.pi, 0, 0], rig.relay.get_clock().now().to_msg(), "base"))
        rig.spin(0.05)
    rig.rests()
    answer = rig.call("resume")
    assert not answer.success and "not resumed: " in answer.message and "also publishes" in answer.message
    rig.relay.destroy_publisher(rival)
