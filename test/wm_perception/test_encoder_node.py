"""encoder_node: what it takes for a frame or a goal, and what it says. Most of it without transport."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from wm_core.errors import ConfigError
from wm_core.reports import ControllerState, Heartbeat, Mode
from wm_perception import encoder_node
from wm_perception.encoder_node import EncoderNode
from wm_ros import convert, qos
from wm_ros.node import report_to_msg

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ME, RUN = "11111111", "0000000a"
_numbers = itertools.count()


class Model:
    """The latent is the mean colour."""

    def encode(self, frames: np.ndarray) -> np.ndarray:
        return frames.mean(axis=(1, 2), dtype=np.float32)[:, None]

    def info(self) -> dict:
        return {"encoder": {}}

    def close(self) -> None:
        pass


class Rig:
    def __init__(self, *words: str) -> None:
        self.space = f"/eye{next(_numbers)}"
        rclpy.init(args=["--ros-args", "-r", f"__ns:={self.space}", "-p", "bundle:=/bundle", *words])
        self.node = EncoderNode()
        self.latents: list[Image] = []
        self.goals: list[Image] = []
        self.status: dict = {}
        self.node._latents.publish = self.latents.append  # type: ignore[method-assign]
        self.node._goals.publish = self.goals.append  # type: ignore[method-assign]
        self.node._status.publish = lambda m: self.status.update(json.loads(m.data))  # type: ignore[method-assign]
        self.handed: list[str] = []
        for name in ("submit", "submit_goal"):
            self._count(name)

    def _count(self, name: str) -> None:
        submit = getattr(self.node._encoder, name)

        def counted(*job) -> None:
            self.handed.append(name)
            submit(*job)

        setattr(self.node._encoder, name, counted)

    def frame(self, size: tuple[int, int] = (8, 6), encoding: str = "rgb8", frame_id: str = "camera", **other) -> Image:
        width, height = size
        msg = convert.image_to_msg(
            np.full((height, width, 3), 100, np.uint8), self.node.get_clock().now().to_msg(), frame_id
        )
        msg.encoding = encoding
        for name, value in other.items():
            setattr(msg, name, value)
        return msg

    def see(self, msg: Image | CompressedImage) -> int:
        """How many latents come of a frame."""
        before = len(self.latents)
        self._hand_over(self.node._frames._on_frame, msg)
        return len(self.latents) - before

    def goal(self, run: str, index: int = 0, count: int = 1, size: tuple[int, int] = (8, 6)) -> int:
        """How many goal latents come of a picture."""
        before = len(self.goals)
        self._hand_over(self.node._on_goal, self.frame(size, frame_id=convert.goal_frame(index, count, run)))
        return len(self.goals) - before

    def _worked(self) -> int:
        stats = self.node._encoder.stats()
        return stats.encoded + stats.stale + stats.faults + stats.goals

    def _hand_over(self, take: Callable[[Image | CompressedImage], None], msg: Image | CompressedImage) -> None:
        """Have the node take a message, and wait until the encoder has worked on what it was given of it."""
        encoder, worked, handed = self.node._encoder, self._worked(), len(self.handed)
        take(msg)
        until_s = time.monotonic() + 10.0
        while self._worked() - worked < len(self.handed) - handed:
            assert time.monotonic() < until_s, encoder.stats()
            time.sleep(0.001)

    def controller(self, mode: str, run: str = RUN) -> None:
        self.node._on_state(report_to_msg(ControllerState(Mode(mode), "", 0.0, run)))

    def planner(self, instance: str = ME) -> None:
        self.node._on_planner(report_to_msg(Heartbeat(instance)))

    def says(self) -> dict:
        self.node._report()
        return self.status


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    monkeypatch.setattr(encoder_node.Bundle, "load", lambda _: None)
    monkeypatch.setattr(encoder_node, "WorldModel", lambda *_, **__: Model())
    started: list[Rig] = []

    def begin(*words: str) -> Rig:
        started.append(Rig(*words))
        return started[-1]

    yield begin
    for rig in started:
        rig.node.close()
        rig.node.destroy_node()
    rclpy.try_shutdown()


def test_a_frame_becomes_a_latent(start: Callable[..., Rig]) -> None:
    rig = start()
    assert rig.see(rig.frame()) == 1
    assert rig.latents[0].header.frame_id == "camera" and convert.msg_to_latent(rig.latents[0])[0, 0] == 100.0
    status = rig.says()
    assert status["fault"] == "" and status["camera"] == "8 x 6, rgb8"
    assert len(status["instance"]) == 8 and int(status["instance"], 16) >= 0
    assert rig.node._health().ok


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"encoding": "mono12"}, "image encoding 'mono12' is not one of"),
        ({"encoding": "16UC1", "step": 16}, "shows depth"),
        ({"data": bytes(5)}, "holds 5 bytes"),
        ({"width": 4_000_000_000, "height": 4_000_000_000}, "which no camera has"),
        ({"frame_id": "x" * 10_000_000}, "frame id 'xxx"),
    ],
)
def test_what_is_no_frame_is_said_and_survived(start: Callable[..., Rig], spoil: dict, says: str) -> None:
    rig = start("-p", "camera_frame:=camera")
    assert rig.see(rig.frame()) == 1
    assert rig.see(rig.frame(**spoil)) == 0
    assert says in rig.says()["fault"] and len(rig.status["fault"]) < 600 and not rig.node._health().ok
    assert rig.see(rig.frame()) == 1 and rig.says()["fault"] == ""


def test_silence_names_the_topic_and_what_to_look_at(
    start: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, now_s = start("-r", "camera/image_raw:=/cam/color"), encoder_node.steady_s()
    assert rig.says()["fault"] == "", "it has only begun"
    monkeypatch.setattr(encoder_node, "steady_s", lambda: now_s)
    now_s += 2.0
    says = "no frame on /cam/color or /cam/color/compressed yet; does the camera's driver run, and is that its topic?"
    assert rig.says()["fault"] == says and not rig.node._health().ok
    for seconds in (-7, 7):
        msg = rig.frame()
        msg.header.stamp.sec += seconds
        assert rig.see(msg) == 0
        says = "frames on /cam/color are -" if seconds > 0 else "frames on /cam/color are "
        assert rig.says()["fault"].startswith(says)
        assert "s old by this machine's clock" in rig.status["fault"] and "run chrony" in rig.status["fault"]
    now_s += 2.0
    assert rig.says()["fault"] == "no frame on /cam/color for 1 s; look at the camera and its driver"
    assert rig.see(rig.frame()) == 1 and rig.says()["fault"] == ""


def test_grey_is_said(start: Callable[..., Rig]) -> None:
    rig = start()
    assert rig.see(rig.frame(encoding="mono8", width=24)) == 1
    assert rig.says()["camera"] == "24 x 6, mono8, grey" and rig.status["fault"] == ""


def test_in_a_run_frames_keep_their_size(start: Callable[..., Rig]) -> None:
    rig = start()
    assert rig.see(rig.frame((4, 4))) == 1
    rig.controller("idle")
    assert rig.see(rig.frame()) == 1
    for mode in ("holding", "running", "stopped", "fault"):
        rig.controller(mode)
        assert rig.see(rig.frame((4, 4))) == 0
        assert "a frame has 4 x 4 pixels, and the run began with 8 x 6" in rig.says()["fault"]
        assert rig.see(rig.frame()) == 1 and rig.says()["fault"] == ""
    rig.controller("idle")
    assert rig.see(rig.frame((4, 4))) == 1


def test_goals_are_encoded_for_those_who_asked_for_them(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.see(rig.frame())
    assert rig.goal(ME) == 0, "whose they are is not known yet"
    rig.planner()
    rig.controller("idle")
    assert rig.goal(ME) == 1 and rig.goal(RUN) == 1
    assert rig.goals[0].header.frame_id == f"subgoal_0_of_1_run_{ME}"
    for stray in ("", "deadbeef"):
        assert rig.goal(stray) == 0
    assert rig.says()["left_aside"] == 2 and rig.node._health().ok
    rig.controller("idle", "0000000b")
    assert rig.goal(RUN) == 0 and rig.goal("0000000b") == 1


def test_goals_wait_for_the_camera_and_have_its_shape(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.planner()
    rig.controller("idle")
    assert rig.goal(ME) == 0 and "no frame of the camera has come yet" in rig.says()["goal_fault"]
    rig.see(rig.frame())
    assert rig.goal(ME, size=(16, 12)) == 1 and rig.says()["goal_fault"] == ""
    assert rig.goal(ME, size=(6, 8)) == 0
    assert "6 x 8 pixels and the camera 8 x 6" in rig.says()["goal_fault"] and not rig.node._health().ok
    assert rig.status["fault"] == "", "there are latents"
    assert rig.goal(RUN) == 1 and not rig.node._health().ok, "another set changes nothing of it"
    assert rig.goal(ME) == 1 and rig.node._health().ok
    assert rig.goal(RUN, size=(6, 8)) == 0 and rig.node._health().ok, "that is for whoever shows them"
    assert "6 x 8" in rig.node._health().values["goal_fault"]


@pytest.mark.parametrize("data", ["{", "[]", '{"mode": 1}', '{"mode": "idle", "run": []}', "[" * 100_000])
def test_a_state_that_cannot_be_read_changes_nothing(start: Callable[..., Rig], data: str) -> None:
    rig = start()
    rig.see(rig.frame())
    rig.controller("running")
    with pytest.raises(ConfigError):  # which the node counts and survives
        rig.node._on_state(String(data=data))
    assert rig.see(rig.frame((4, 4))) == 0


class Cell:
    """Other nodes, and the encoder's ears."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.executor = rig, SingleThreadedExecutor()
        self.executor.add_node(rig.node)
        self.nodes: list[Node] = []

    def camera(self, name: str, kind: type, topic: str):
        node = rclpy.create_node(name, namespace=self.rig.space)
        self.nodes.append(node)
        return node.create_publisher(kind, topic, qos.SENSOR)

    def until(self, true: Callable[[], bool], within_s: float = 20.0) -> bool:
        until_s = time.monotonic() + within_s
        while not true() and time.monotonic() < until_s:
            self.executor.spin_once(timeout_sec=0.02)
        return true()

    def close(self) -> None:
        for node in self.nodes:
            node.destroy_node()


def compressed(rig: Rig) -> CompressedImage:
    msg = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", np.full((6, 8, 3), 100, np.uint8))[1].tobytes())
    msg.header.stamp = rig.node.get_clock().now().to_msg()
    return msg


@pytest.mark.parametrize("named", ["/hand/color", "/hand/color/compressed"])
def test_one_remapping_finds_a_camera_that_is_only_compressed(start: Callable[..., Rig], named: str) -> None:
    rig = start("-r", f"camera/image_raw:={named}")
    cell = Cell(rig)
    camera = cell.camera("driver", CompressedImage, "/hand/color/compressed")

    def comes() -> bool:
        camera.publish(compressed(rig))
        return bool(rig.latents)

    assert cell.until(comes), rig.says()
    cell.close()


def test_two_cameras_are_one_too_many(start: Callable[..., Rig]) -> None:
    rig = start()
    cell = Cell(rig)
    raw = cell.camera("driver", Image, "camera/image_raw")
    also = cell.nodes[0].create_publisher(CompressedImage, "camera/image_raw/compressed", qos.SENSOR)

    def sends(count: int) -> Callable[[], bool]:
        wanted = len(rig.latents) + count

        def come() -> bool:
            raw.publish(rig.frame())
            also.publish(compressed(rig))
            return len(rig.latents) >= wanted

        return come

    def refused(*names: str) -> Callable[[], bool]:
        def it_is() -> bool:
            raw.publish(rig.frame())
            return all(name in rig.says()["fault"] for name in names)

        return it_is

    assert cell.until(sends(3)), "raw and compressed of one driver are one voice"
    assert {latent.header.frame_id for latent in rig.latents[-2:]} == {"camera"}, "and the raw ones are enough"
    cell.camera("other", CompressedImage, "camera/image_raw/compressed")
    assert cell.until(refused("driver' and ", "other'", "publish")), rig.status
    cell.nodes.pop().destroy_node()
    assert cell.until(sends(1)), rig.says()
    cell.camera("stray", Image, "camera/image_raw")
    assert cell.until(refused("driver", "stray", "camera/image_raw")), rig.status
    assert not rig.node._health().ok
    cell.nodes.pop().destroy_node()
    assert cell.until(sends(1)), rig.says()
    cell.close()
