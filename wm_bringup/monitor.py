"""The node inside ``wm pick_place``: it listens to the graph, keeps the record of the run, and calls the services.

It is the only one that looks at ``sim/scene``, the simulator's ground truth, and only to judge the result. What comes
from other processes may be anything: a message that cannot be used is counted, said once, and changes nothing.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Empty, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_controller.monitor import SILENT_S, EnvelopeMonitor
from wm_controller.node_config import ControllerNodeConfig
from wm_core import topics
from wm_core.errors import quoted
from wm_core.reports import ACTING, AT_REST, ControllerState, Health, Mode, PlannerStatus, Scene, parse
from wm_core.topics import Topic
from wm_ros import convert, diagnostics
from wm_ros.endpoints import publisher, subscribe
from wm_ros.voices import UNKNOWN

from .report import Picture, PlanRow, live_line
from .terminal import complain

#: Diagnostics come at 1 Hz; a node that has not reported for this long is not well.
FRESH_S = 3.0
#: Commands that come while this node is busy must not be lost, or their spacing would not be that of the stream.
COMMAND_DEPTH = 50
#: The controller misses it after 1 s: a lost one, and a loop that is late once, are no loss.
HEARTBEAT_PERIOD_S = 0.2
#: Reasons may come with every tick and are foreign text: what the summary keeps of them is bounded.
MAX_HOLDS, MAX_REASON = 1000, 300


class Monitor(Node):
    """Listens. All attributes may be read between two spins.

    Args:
        nodes: names of the nodes whose diagnostics count.
        controller: the controller's configuration: its limits are what the commands are judged by.
        simulated: whether there is a simulator, which knows where the cube is.
        beats: whether the controller moves the arm only as long as :meth:`beat` is called.
    """

    def __init__(
        self, nodes: Sequence[str], controller: ControllerNodeConfig, simulated: bool = True, beats: bool = True
    ) -> None:
        super().__init__("wm_monitor")
        #: By node, its newest diagnostics.
        self.health: dict[str, Health] = {}
        self._reported_s: dict[str, float] = {}  # when they came
        self.status: PlannerStatus | None = None
        self.mode: Mode | None = None  # None before the controller's first word
        self.reason = ""
        #: Id of the run in progress or, while the controller is idle, of the next one; and of the last one that began.
        self.run = self.begun = ""
        self.scene: Scene | None = None
        #: How many messages of each topic could not be used.
        self.bad: Counter[str] = Counter()
        self.rows: list[PlanRow] = []
        self.holds: list[str] = []
        self._recording = False
        #: Called with each frame and its stamp in s.
        self.on_frame: Callable[[Picture, float], object] = lambda *_: None
        self.latest_frame: Picture | None = None
        self.envelope = EnvelopeMonitor(controller.limits)
        self._target_s = -math.inf  # stamp of the last target
        self.long_steps = 0
        self._stop_asked, self._stopped_s = False, math.inf
        self._nodes, self._limits, self._arm = tuple(nodes), controller.limits, controller.arm
        self._started_s = time.monotonic()
        self._triggers: dict[str, Client] = {}
        self._role = role = controller.role
        self._beats, self._beat_s = beats, -math.inf
        self._heartbeat: Publisher | None = None  # until there are nodes of ours: it would stop those of another run
        self._listen(topics.DIAGNOSTICS, self._on_diagnostics)
        self._listen(topics.status(role), self._on_status)
        self._listen(topics.STATE, self._on_state)
        if simulated:  # beside a real arm it could only be a lie
            self._listen(topics.SCENE, self._on_scene)
        self._listen(topics.CAMERA, self._on_frame)
        self._listen(topics.plan(role), self._on_plan)
        if (targets := controller.arm.target_topic()) is not None:
            self._listen(replace(topics.TARGET, name=targets), self._on_target, QoSProfile(depth=COMMAND_DEPTH))

    def _listen(self, topic: Topic, take: Callable[[Any], None], profile: QoSProfile | None = None) -> None:
        """Subscribe. Whatever ``take`` raises is the message's fault and ends nothing."""

        def guarded(msg: Any) -> None:
            try:
                take(msg)
            except Exception as error:  # what a foreign message can do to a parser is not to be foreseen
                self.bad[topic.name] += 1
                if self.bad[topic.name] == 1:
                    complain(f"a message on {topic.name} was ignored, as others like it will be: {quoted(error, 200)}")

        subscribe(self, topic, guarded, profile)

    def begin_to_beat(self) -> None:
        """Our nodes are being started, and those of nobody else are there."""
        if self._beats:
            self._heartbeat = publisher(self, topics.HEARTBEAT)

    def beat(self) -> None:
        """Tell the controller that the loop that watches the run goes on; to be called from that loop."""
        if self._heartbeat is not None and time.monotonic() - self._beat_s >= HEARTBEAT_PERIOD_S:
            self._beat_s = time.monotonic()
            self._heartbeat.publish(Empty())

    # --- questions ----------------------------------------------------------------------------------------------------
    def rivals(self, ours: Sequence[str] = ()) -> str:
        """Who else commands an arm on this domain, in one sentence; "" if nobody does.

        ``ours`` are the nodes that may publish, one each. A publisher may be discovered before its name is; until then
        the name is :data:`UNKNOWN`.
        """
        ours_alone = topics.plan(self._role), topics.status(self._role), topics.LATENT, topics.STATE
        for topic in (*self._arm.outputs().values(), *(topic.name for topic in ours_alone)):
            names = [info.node_name for info in self.get_publishers_info_by_topic(topic)]
            for name in ours:
                if name in names:
                    names.remove(name)
            if names:
                named = [name for name in names if name != UNKNOWN]
                return f"the node '{(named or names)[0]}' already publishes {topic}"
        return ""

    def not_ready(self) -> str:
        """What the graph still lacks before it may be started, in one sentence; "" if nothing."""
        for name in self._nodes:
            health = self.health.get(name)
            if health is None or time.monotonic() - self._reported_s[name] > FRESH_S:
                return f"{name} has not reported yet"
            if not health.ok:
                return f"{name}: {health.message}"
        ready = all(self.client(service).service_is_ready() for service in (topics.START, topics.STOP))
        return "" if ready else "the services are not up"

    @property
    def done(self) -> bool:
        """Whether the planner has ended the last goal of this run, reached or not."""
        return self.status is not None and self.status.done and self.status.run == self.begun != ""

    @property
    def reached(self) -> bool:
        """Whether it really reached it."""
        return self.done and self.status is not None and self.status.reached

    @property
    def placed(self) -> bool | None:
        """Whether the cube lies at its goal; None where nobody can tell, as on a real arm."""
        return None if self.scene is None else self.scene.placed

    @property
    def seed(self) -> int | None:
        """Which scene the simulated arm has laid out; None on a real arm."""
        return None if self.scene is None else self.scene.seed

    @property
    def line(self) -> str:
        """The one line that a person watches."""
        s = self.status if self.status is not None else PlannerStatus(subgoal=0, subgoals=0)
        if self.done:
            return f"sub-goal {s.subgoal + 1}/{s.subgoals}  {'goal reached' if s.reached else 'the planner is done'}"
        if self.mode in AT_REST:
            return f"sub-goal {s.subgoal + 1}/{s.subgoals}  {self.mode}: {self.reason}"
        return live_line(s.subgoal, s.subgoals, s.energy, s.plan_ms, s.guardrail)

    def client(self, service: str) -> Client:
        """The client of a Trigger service. It takes a moment to find its server, so it is kept."""
        if service not in self._triggers:
            self._triggers[service] = self.create_client(Trigger, service)
        return self._triggers[service]

    def call(self, service: str) -> Any:
        """Call a Trigger service; the future of the answer."""
        self._stop_asked = {topics.START: False, topics.STOP: True}.get(service, self._stop_asked)
        return self.client(service).call_async(Trigger.Request())

    def begin(self) -> None:
        """Record from now on."""
        self._recording, self._started_s = True, time.monotonic()

    # --- topics -------------------------------------------------------------------------------------------------------
    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name in self._nodes:
                self.health[status.name] = diagnostics.health_of(status)
                self._reported_s[status.name] = time.monotonic()

    def _on_status(self, msg: String) -> None:
        self._alone(topics.status(self._role))
        self.status = status = parse(PlannerStatus, msg.data)
        if self._recording and status.planned:
            assert status.plan_ms is not None and status.latency_ms is not None  # as checked
            energy = status.energy if status.energy is not None else math.nan
            at_s = time.monotonic() - self._started_s
            row = PlanRow(at_s, status.subgoal, energy, status.plan_ms, status.latency_ms, status.guardrail)
            self.rows.append(row)

    def _on_state(self, msg: String) -> None:
        state = parse(ControllerState, msg.data)
        holds = state.mode == Mode.HOLDING != self.mode
        if self._recording and holds and len(self.holds) < MAX_HOLDS:
            self.holds.append(f"{time.monotonic() - self._started_s:.2f} s: {state.reason[:MAX_REASON]}")
        self.mode, self.reason, self.run = state.mode, state.reason[:MAX_REASON], state.run
        # An idle controller may be stopped, too; that begins no run.
        self.begun = state.run if state.mode in ACTING else self.begun
        self._stopped_s = state.stamp_s if self.mode == Mode.STOPPED else math.inf

    def _on_scene(self, msg: String) -> None:
        self._alone(topics.SCENE)
        self.scene = parse(Scene, msg.data)

    def _alone(self, topic: Topic) -> None:
        """Raises ValueError if two speak on a topic that decides how the run ends: nobody could tell who is right."""
        if self.count_publishers(topic.name) > 1:
            names = [info.node_name for info in self.get_publishers_info_by_topic(topic.name)]
            raise ValueError(f"it has more than one publisher: {', '.join(sorted(names))}")

    def _on_frame(self, msg: Image) -> None:
        self.latest_frame = convert.msg_to_image(msg)
        self.on_frame(self.latest_frame, convert.stamp_to_s(msg.header.stamp))

    def _on_plan(self, msg: JointTrajectory) -> None:
        try:
            deltas, _ = convert.msg_to_plan(msg)
        except ValueError:
            return  # the controller refuses it, and says so
        lengths = np.linalg.norm(deltas[:, :3], axis=1)
        self.long_steps += int(np.sum(lengths > self._limits.step_m * (1.0 + 1e-6)))

    def _on_target(self, msg: PoseStamped) -> None:
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        try:
            target: Sequence[float] | NDArray[Any] = self._arm.tcp(convert.msg_to_pose(msg))
        except ValueError:
            target = [math.nan] * 6  # that is for the judge to count
        if (
            stamp_s - self._target_s > SILENT_S
        ):  # none is sent to an arm that was moved; the next begins where it then is
            self.envelope.check(stamp_s, None)
        self._target_s = stamp_s
        if stamp_s >= self._stopped_s:
            self.envelope.check(stamp_s, target, stopped=True)
        elif self._stop_asked or self.mode == Mode.STOPPED:
            # From the call to the controller's word the target may freeze at any moment, and abruptly.
            self.envelope.check(stamp_s, None)
        else:
            self.envelope.check(stamp_s, target)
