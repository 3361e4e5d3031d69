"""calibrate_node over real topics, before a stand-in for arm, camera, encoder and controller that can be at fault."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from wm_core import axes
from wm_core.errors import ConfigError, WmError
from wm_core.limits import Limits
from wm_core.reports import ControllerState, Mode
from wm_planner import calibrate_node
from wm_planner.calibrate_node import CalibrateNode, move_period_s
from wm_planner.node_config import CalibrateNodeConfig
from wm_ros import convert, qos
from wm_ros.node import report_to_msg

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

YAW_DEG = 35.0
START = np.array([0.47, 0.05, 0.15, np.pi, 0.0, 0.0])
#: Of what one node publishes, discovery may still tell another for a while.
_numbers = itertools.count()


class Cell(Node):
    """Follows each plan at once, and sees it with a camera turned by YAW_DEG; the attributes say what is at fault."""

    def __init__(self) -> None:
        super().__init__("cell")
        self.pose, self.mode, self.run = START.copy(), "idle", "00000001"
        self.blocked = self.blind = False
        self.frame_id, self.age_s, self.noise_m = "camera", 0.0, 0.0
        self.plans: list[tuple[np.ndarray, str]] = []
        self.status: dict = {}
        self.reasons: set[str] = set()
        self.status_at_s: list[float] = []
        self._rng = np.random.default_rng(0)
        self._poses = self.create_publisher(PoseStamped, "arm/current_pose", qos.SENSOR)
        self._gripper = self.create_publisher(JointState, "arm/gripper", qos.SENSOR)
        self._latents = self.create_publisher(Image, "latent", qos.SENSOR)
        self._state = self.create_publisher(String, "controller/state", qos.LATCHED)
        self.create_subscription(JointTrajectory, "calibrate/plan", self._on_plan, qos.COMMAND)
        self.create_subscription(String, "calibrate/status", self._on_status, qos.LATCHED)
        self.create_timer(0.02, self._tick)
        self.create_timer(0.5, lambda: self.say(self.mode))
        self.say("idle")

    def say(self, mode: str) -> None:
        self.mode = mode
        self._state.publish(report_to_msg(ControllerState(Mode(mode), "", 0.0, self.run)))

    def _on_plan(self, msg: JointTrajectory) -> None:
        deltas, _ = convert.msg_to_plan(msg)
        self.plans.append((deltas, msg.header.frame_id))
        if not self.blocked and self.mode in ("running", "holding"):
            self.pose[:3] += deltas[0, :3]

    def _on_status(self, msg: String) -> None:
        self.status = json.loads(msg.data)
        self.reasons.add(self.status["reason"])
        self.status_at_s.append(time.monotonic())

    def _tick(self) -> None:
        stamp = self.get_clock().now().to_msg()
        self._gripper.publish(convert.gripper_to_msg(0.0, stamp))
        self._poses.publish(convert.pose_to_msg(self.pose, stamp, "base"))
        if self.blind:
            return
        state = np.append(self.pose, 0.0)
        seen = axes.Axes(np.radians(YAW_DEG)).state_to_model(state)
        latent = np.concatenate([seen[:3], np.zeros(4)])
        latent[:2] += self._rng.normal(size=2) * self.noise_m
        seen_at = convert.s_to_stamp(convert.stamp_to_s(stamp) - self.age_s)
        self._latents.publish(convert.latent_to_msg(latent[None], seen_at, self.frame_id))


class Rig:
    def __init__(self, out: Path, *parameters: str) -> None:
        given = (
            "bundle:=/bundle",
            f"out:={out}",
            "camera_frame:=camera",
            "moves:=14",
            "settle_s:=0.06",
            "most_condition:=10.0",
        )
        quick = "shortest_m:=0.01", "longest_m:=0.015", "limits.speed_m_s:=0.25", "limits.accel_m_s2:=2.0"
        words = [word for parameter in (*given, *quick, *parameters) for word in ("-p", parameter)]
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/calibration{next(_numbers)}", *words])
        self.node, self.cell = CalibrateNode(), Cell()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(self.cell)

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            self._executor.spin_once(timeout_sec=0.05)
        return until()

    def begin(self) -> None:
        assert self.spin(20.0, lambda: self.cell.status.get("reason") == "the controller is idle"), self.cell.status
        assert not self.cell.plans, "nothing moves before start"
        self.cell.say("holding")

    def says(self, words: str, within_s: float = 20.0) -> bool:
        self.cell.reasons.clear()
        return self.spin(within_s, lambda: any(words in reason for reason in self.cell.reasons))

    def moves_on(self) -> bool:
        """Whether moves are kept again, two more of them."""
        moves = self.cell.status["moves"]
        return self.spin(20.0, lambda: self.cell.status["moves"] >= moves + 2)

    def stays(self) -> None:
        """No plan comes any more."""
        plans = len(self.cell.plans)
        self.spin(1.0)
        assert len(self.cell.plans) == plans


@pytest.fixture
def start(additive: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    spec = SimpleNamespace(name="additive", step_period_s=0.1)
    monkeypatch.setattr(calibrate_node.Bundle, "load", lambda _: SimpleNamespace(spec=spec))
    monkeypatch.setattr(calibrate_node.imagination, "load", lambda *_: additive())
    started: list[Rig] = []

    def begin(*parameters: str, out: Path = tmp_path / "camera.yaml") -> Rig:
        started.append(Rig(out, *parameters))
        return started[-1]

    yield begin
    for rig in started:
        rig.node.close()
        rig.node.destroy_node()
        rig.cell.destroy_node()
    rclpy.try_shutdown()


def test_the_axes_are_found_and_written_into_the_preset(start: Callable[..., Rig], tmp_path: Path) -> None:
    out = tmp_path / "camera.yaml"
    out.write_text("# mine\nsource: '0'\naxes: {yaw_rad: 3.0, centre_m: [0.1, 0.2], turned_hand: false}\n")
    rig = start("axes.yaw_rad:=3.0", "axes.centre_m:=[0.4, 0.1]")
    rig.begin()
    assert rig.says(" of 14") and rig.spin(60.0, lambda: rig.cell.status["done"]), rig.cell.status
    found = axes.load(out)
    assert np.degrees(found.yaw_rad) == pytest.approx(YAW_DEG, abs=0.3)
    assert found.centre_m == (0.4, 0.1) and not found.turned_hand
    assert out.read_text().startswith("# mine\nsource: '0'\n") and "14 moves of the arm" in out.read_text()
    status = rig.cell.status
    assert status["reached"] and status["run"] == rig.cell.run and status["instance"] == rig.node._role.instance
    assert status["angle_deg"] == pytest.approx(YAW_DEG, abs=0.3) and status["moves"] == 14 and not status["failed"]
    assert (
        f"the axes lie turned by {status['angle_deg']:.1f} degrees" in status["reason"] and str(out) in status["reason"]
    )
    assert len(rig.cell.plans) == 14
    for deltas, frame_id in rig.cell.plans:
        assert frame_id == "base" and deltas.shape == (2, 7) and not deltas[1].any() and not deltas[0, 3:].any()
        assert 0.0 < np.linalg.norm(deltas[0, :3]) <= 0.015 + 1e-9
    rig.stays()
    rig.cell.run = "00000002"
    rig.cell.say("idle")
    rig.spin(0.3)
    rig.cell.say("holding")
    assert rig.spin(5.0, lambda: rig.cell.status["run"] == "00000002" and rig.cell.status["done"]), (
        "nothing is left to do"
    )
    rig.stays()
    gaps_s = np.diff(rig.cell.status_at_s)
    assert np.max(gaps_s) < 1.5, "the controller hears its planner all the time"


def test_a_run_that_began_before_it_is_not_its_own(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.cell.say("holding")
    assert rig.says("the run began before this node was up")
    assert rig.cell.status["done"] and not rig.cell.status["reached"]
    rig.stays()
    rig.cell.run = "00000002"
    rig.cell.say("idle")
    rig.begin()
    assert rig.moves_on()


def test_an_arm_that_does_not_move_and_a_stop(start: Callable[..., Rig], tmp_path: Path) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on() and rig.says("of 200")
    rig.cell.blocked = True
    assert rig.says("the arm came to rest")
    kept = rig.cell.status["moves"]
    rig.spin(1.5)
    assert rig.cell.status["moves"] == kept and not rig.cell.status["failed"]
    rig.cell.blocked = False
    assert rig.moves_on()

    rig.cell.say("stopped")
    rig.spin(0.3)
    rig.cell.pose[:2] += 0.05  # a person pushes the arm away
    rig.stays()
    assert rig.says("the controller is stopped")
    rig.cell.say("holding")
    assert rig.moves_on()
    assert all(np.linalg.norm((move.next_state - move.state)[:3]) < 0.016 for move in rig.node._moves)
    assert not (tmp_path / "camera.yaml").exists()


AWAY = np.array([0.40, -0.20, 0.40])


@pytest.mark.parametrize("mode", ["idle", "stopped"])
def test_an_arm_that_was_moved_elsewhere_goes_on_there(start: Callable[..., Rig], mode: str) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on()
    before = len(rig.cell.plans)
    if mode == "idle":  # the run has ended; start begins another
        rig.cell.run = "00000002"
    rig.cell.say(mode)
    rig.spin(0.3)
    rig.cell.pose[:3] = AWAY
    rig.stays()
    rig.cell.say("holding")
    assert rig.moves_on() and rig.moves_on()
    assert rig.cell.pose[2] >= AWAY[2] - 1e-9 and np.linalg.norm(rig.cell.pose[:2] - AWAY[:2]) < 0.1
    ways = [plan[0, :3] for plan, _ in rig.cell.plans]
    assert not np.allclose(ways[0], ways[before]), "other moves than the first ones"


def test_a_second_start_has_a_region_of_its_own_also_where_the_arm_was_not_moved(start: Callable[..., Rig]) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on()
    draw = rig.node._draw
    rig.cell.run = "00000002"
    rig.cell.say("idle")
    rig.spin(0.3)
    height = rig.cell.pose[2]
    rig.cell.say("holding")
    assert rig.moves_on() and rig.cell.pose[2] >= height - 1e-9 and rig.node._draw is not draw


def test_a_stop_alone_leaves_the_moves_where_there_was_room_for_them(start: Callable[..., Rig]) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on()
    draw = rig.node._draw
    rig.cell.say("stopped")
    rig.stays()
    rig.cell.say("holding")
    assert rig.moves_on() and rig.node._draw is draw


def test_an_arm_that_is_moved_away_without_a_stop_waits_for_a_person(start: Callable[..., Rig]) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on()
    rig.cell.pose[:3] = AWAY
    assert rig.says("the arm was moved away; stop, and resume")
    kept = rig.cell.status["moves"]
    rig.cell._state.publish(String(data="no report"))  # what cannot be read is no word of a person
    rig.spin(0.2)
    rig.cell.say("running")
    rig.stays()
    assert rig.cell.status["moves"] == kept and not rig.cell.status["failed"]
    rig.cell.say("stopped")
    rig.spin(0.3)
    rig.cell.say("holding")
    assert rig.moves_on() and rig.cell.pose[2] >= AWAY[2] - 1e-9


def test_no_room_after_a_resume_loses_no_moves(start: Callable[..., Rig]) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on()
    for where, says in (([0.0, 0.0, 0.15], "the arm has no room"), (AWAY, " of 200")):
        rig.cell.say("stopped")
        rig.spin(0.3)
        rig.cell.pose[:3] = where
        rig.stays()
        rig.cell.say("holding")
        assert rig.says(says) and not rig.cell.status["failed"]
    assert rig.moves_on()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"frame_id": "elsewhere"}, "latent has the frame id 'elsewhere', not 'camera'"),
        ({"age_s": 5.0}, "s old by this machine's clock"),
        ({"blind": True}, "no latent for 1 s"),
        ({"noise_m": float("nan")}, "finite numbers"),
    ],
)
def test_bad_frames_are_waited_out(start: Callable[..., Rig], fault: dict, sentence: str) -> None:
    rig = start("moves:=200")
    rig.begin()
    assert rig.moves_on() and rig.says("of 200")
    good = {name: getattr(rig.cell, name) for name in fault}
    vars(rig.cell).update(fault)
    assert rig.says(sentence), rig.cell.reasons
    rig.stays()
    assert not rig.node._health().ok
    vars(rig.cell).update(good)
    assert rig.moves_on()


def test_what_tells_nothing_ends_in_one_sentence_and_writes_nothing(start: Callable[..., Rig], tmp_path: Path) -> None:
    rig = start()
    rig.cell.noise_m = 0.05
    rig.begin()
    assert rig.spin(60.0, lambda: rig.cell.status.get("failed", False)), rig.cell.status
    assert rig.cell.status["reason"].startswith("not calibrated: ")
    assert rig.spin(5.0, lambda: rig.cell.status["done"]) and not rig.cell.status["reached"]
    assert not (tmp_path / "camera.yaml").exists()
    rig.stays()
    assert not rig.node._health().ok and time.monotonic() - rig.cell.status_at_s[-1] < 1.5


def test_no_room_is_said_before_anything_moves(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.cell.pose[:3] = [0.0, 0.0, 0.15]
    rig.begin()
    assert rig.says("not calibrated: the arm has no room")
    assert not rig.cell.plans


def test_a_preset_that_can_no_longer_be_written_is_one_sentence(start: Callable[..., Rig], tmp_path: Path) -> None:
    rig = start(out=tmp_path / "new" / "camera.yaml")
    (tmp_path / "new").rmdir()
    (tmp_path / "new").write_text("")
    rig.begin()
    assert rig.says("not calibrated: cannot write ", 60.0) and not rig.cell.status["reached"]


@pytest.mark.parametrize(
    ("text", "says"), [("[1, 2\n", "not valid YAML"), ("{fps: 30.0}\n", "axes cannot be put into")]
)
def test_a_file_that_is_no_preset_is_refused_before_the_moves(
    start: Callable[..., Rig], tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        start()


def test_a_place_that_takes_no_file_is_refused_before_the_moves(start: Callable[..., Rig], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WmError, match="cannot write"):
        start(out=tmp_path / "file" / "camera.yaml")


def test_a_slow_arm_is_given_time() -> None:
    assert move_period_s(Limits(speed_m_s=0.25, accel_m_s2=2.0), 0.02, 0.25) == 0.25
    assert move_period_s(Limits(speed_m_s=0.025, accel_m_s2=0.5), 0.045, 0.25) == pytest.approx(1.85)
    assert move_period_s(Limits(speed_m_s=0.1, accel_m_s2=0.5, step_m=0.02), 0.045, 0.25) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "out"),
        ({"out": "a", "settle_s": -0.1}, "settle_s"),
        ({"out": "a", "settle_s": float("nan")}, "settle_s"),
        ({"out": "a", "limits": Limits(speed_m_s=0.0)}, "no motion"),
        ({"out": "a", "limits": Limits(accel_m_s2=0.0)}, "no motion"),
        ({"out": "a", "moves": 5}, "moves = 5 are too few for a calibration; give 12 or more"),
    ],
)
def test_nonsense_is_refused(values: dict, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        CalibrateNodeConfig(**values)
