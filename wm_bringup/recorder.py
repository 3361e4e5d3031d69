"""Keeps the streams of a live graph as they come, for measuring afterwards. It judges nothing."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import PoseStamped
from numpy.typing import ArrayLike, NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from wm_core import topics
from wm_core.errors import ConfigError
from wm_core.reports import ControllerState, parse
from wm_ros import convert
from wm_ros.endpoints import subscribe

from .observers import Observer
from .timing import Walk

if TYPE_CHECKING:
    from .live_run import LiveRun

Array = NDArray[np.float64]

#: Deep enough that nothing is lost while this process is busy for a second.
_STREAM = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_REPORTS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Rows:
    """Rows of ``width`` floats, 8 bytes each: an hour of a 50 Hz stream of poses takes 10 MB."""

    def __init__(self, width: int) -> None:
        self._width, self._data = width, array("d")

    def __len__(self) -> int:
        return len(self._data) // self._width

    def add(self, *values: float) -> None:
        self._data.extend(values)

    @property
    def table(self) -> Array:
        """A copy, (N, width)."""
        return np.array(self._data, dtype=np.float64).reshape(-1, self._width)


@dataclass
class Record:
    """The streams. All times are of the machine's clock, in s; poses are xyz (m) and extrinsic xyz Euler (rad)."""

    targets: Rows = field(default_factory=lambda: Rows(7))  # stamp, pose
    sent: Rows = field(default_factory=lambda: Rows(1))  # when each target was published
    arm: Rows = field(default_factory=lambda: Rows(7))  # stamp, measured pose
    frames: Rows = field(default_factory=lambda: Rows(2))  # stamp, when it was published
    latents: Rows = field(default_factory=lambda: Rows(2))  # stamp of the frame, when its latent was published
    plans: Rows = field(default_factory=lambda: Rows(2))  # stamp of the frame, when its plan was published
    taken: Rows = field(default_factory=lambda: Rows(2))  # stamp of the frame, tick that took its plan
    states: list[ControllerState] = field(default_factory=list)  # of the controller, each once

    @property
    def walk(self) -> Walk:
        """From frames to commands."""
        commands = np.column_stack([self.targets.table[:, 0], self.sent.table[:, 0]])
        return Walk(self.frames.table, self.latents.table, self.plans.table, self.taken.table, commands)


class Recorder(Node):
    """Subscribes; :attr:`record` grows.

    Args:
        frame: frame id of the targets that count.
        heard_at: where the messages of a topic of the graph are heard.
        by_arrival: whether times are those of the arrival here, as a clock that is set stamps with lies.
        not_the_arm: (3,) where a measured pose is a rival's, m.
        pictures: whether it is also recorded when frames and latents were published.
    """

    def __init__(
        self,
        frame: str,
        heard_at: Callable[[str], str] = str,
        by_arrival: bool = False,
        not_the_arm: ArrayLike = (np.inf, np.inf, np.inf),
        pictures: bool = False,
    ) -> None:
        super().__init__("wm_recorder")
        self.record = Record()
        self._said: set[ControllerState] = set()
        self._taken_s = -np.inf
        self._frame, self._by_arrival = frame, by_arrival
        self._not_the_arm = np.asarray(not_the_arm, dtype=np.float64)
        # A callback of two arguments also gets the times of the middleware.
        for topic, take, profile in (
            (topics.TARGET, self._on_target, QoSProfile(depth=100)),
            (topics.POSE, self._on_arm, _STREAM),
            (topics.plan("planner"), self._on_plan, _STREAM),
            (topics.STATE, self._on_state, _REPORTS),
        ):
            subscribe(self, replace(topic, name=heard_at(topic.name)), take, profile)
        if pictures:  # read no further than to their stamps
            for topic, rows in ((topics.CAMERA, self.record.frames), (topics.LATENT, self.record.latents)):
                subscribe(self, topic, partial(_on_picture, rows), _STREAM, raw=True)

    def _time_s(self, stamp_s: float, info: dict[str, int]) -> float:
        return 1e-9 * info["received_timestamp"] if self._by_arrival else stamp_s

    def _on_target(self, msg: PoseStamped, info: dict[str, int]) -> None:
        if msg.header.frame_id == self._frame:
            self.record.targets.add(self._time_s(convert.stamp_to_s(msg.header.stamp), info), *_pose(msg))
            self.record.sent.add(1e-9 * info["source_timestamp"])

    def _on_arm(self, msg: PoseStamped, info: dict[str, int]) -> None:
        pose = _pose(msg)
        if not np.array_equal(pose[:3], self._not_the_arm):
            self.record.arm.add(self._time_s(convert.stamp_to_s(msg.header.stamp), info), *pose)

    def _on_plan(self, msg: JointTrajectory, info: dict[str, int]) -> None:
        self.record.plans.add(convert.stamp_to_s(msg.header.stamp), 1e-9 * info["source_timestamp"])

    def _on_state(self, msg: String, info: dict[str, int]) -> None:
        try:
            state = parse(ControllerState, msg.data)
        except ConfigError:
            return  # the monitor counts it
        if not state.stamp_s > 0.0:
            return  # a rival's: no controller of ours knows no time
        if state.frame_s is not None and state.taken_s is not None and state.taken_s != self._taken_s:
            self._taken_s = state.taken_s
            self.record.taken.add(state.frame_s, state.taken_s)
        state = replace(state, frame_s=None, taken_s=None)
        if state in self._said:
            return  # said again, word for word
        self._said.add(state)
        self.record.states.append(replace(state, stamp_s=self._time_s(state.stamp_s, info)))


class Trace(Observer):
    """Records a run, for whoever measures it afterwards; :attr:`record` grows from its beginning on.

    The arguments are those of :class:`Recorder`.
    """

    def __init__(
        self,
        heard_at: Callable[[str], str] = str,
        by_arrival: bool = False,
        not_the_arm: ArrayLike = (np.inf, np.inf, np.inf),
        pictures: bool = False,
    ) -> None:
        self._how = heard_at, by_arrival, not_the_arm, pictures
        self.record = Record()

    def begin(self, run: LiveRun) -> None:
        recorder = Recorder(run.controller.base_frame, *self._how)
        self.record = recorder.record
        run.executor.add_node(recorder)


def _on_picture(rows: Rows, data: bytes, info: dict[str, int]) -> None:
    """Of a message in bytes: behind four that say how they are written comes its header, and first its stamp."""
    seconds, nanoseconds = struct.unpack_from("<iI", data, 4)
    rows.add(seconds + 1e-9 * nanoseconds, 1e-9 * info["source_timestamp"])


def _pose(msg: PoseStamped) -> list[float]:
    """NaN where there is none to read: that is for the judge to count, not for the recorder to fail on."""
    try:
        return [float(x) for x in convert.msg_to_pose(msg)]
    except ValueError:
        return [float("nan")] * 6
