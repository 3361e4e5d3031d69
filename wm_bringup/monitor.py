"""The node inside ``wm pick_place``: it listens to the graph, keeps the record of the run, and calls the services.

It is the only one that looks at ``sim/scene``, the simulator's ground truth, and only to judge the result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_controller.monitor import EnvelopeMonitor
from wm_controller.node_config import ControllerNodeConfig
from wm_ros import convert, diagnostics, qos
from wm_ros.node import msg_to_json

from .report import Film, PlanRow, live_line

#: Diagnostics come at 1 Hz; a node that has not reported for this long is not well.
FRESH_S = 3.0
#: What rclpy calls a node whose publisher it knows, but not yet its name.
UNKNOWN = "_NODE_NAME_UNKNOWN_"
#: Commands that come while this node is busy must not be lost, or their spacing would not be that of the stream.
COMMAND_DEPTH = 50


@dataclass
class NodeHealth:
    """The newest diagnostics of one node."""

    ok: bool
    message: str
    values: dict[str, str]
    at_s: float = field(default_factory=time.monotonic)


class Monitor(Node):
    """Listens. All attributes may be read between two spins.

    Args:
        nodes: names of the nodes whose diagnostics count.
        controller: the controller's configuration: its limits are what the commands are judged by.
    """

    def __init__(self, nodes: Sequence[str], controller: ControllerNodeConfig) -> None:
        super().__init__("wm_monitor")
        self.health: dict[str, NodeHealth] = {}
        self.status: dict[str, Any] = {}
        self.mode, self.reason = "", ""
        self.scene: dict[str, Any] = {}
        self.rows: list[PlanRow] = []
        self.holds: list[str] = []
        self.film: Film | None = None
        self.latest_frame: NDArray[np.uint8] | None = None
        self.envelope = EnvelopeMonitor(controller.limits)
        self.long_steps = 0
        self._stop_asked, self._stopped_s = False, math.inf
        self._nodes, self._limits, self._target = tuple(nodes), controller.limits, controller.arm.pose_topic
        self._arm = controller.arm
        self._started_s = time.monotonic()
        self._triggers = {name: self.create_client(Trigger, name) for name in ("start", "stop")}
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        self.create_subscription(String, "planner/status", self._on_status, qos.LATCHED)
        self.create_subscription(String, "controller/state", self._on_state, qos.LATCHED)
        self.create_subscription(String, "sim/scene", self._on_scene, qos.LATCHED)
        self.create_subscription(Image, "camera/image_raw", self._on_frame, qos.SENSOR)
        self.create_subscription(JointTrajectory, "planner/plan", self._on_plan, qos.COMMAND)
        self.create_subscription(PoseStamped, self._target, self._on_target, COMMAND_DEPTH)

    # --- questions ----------------------------------------------------------------------------------------------------
    def rivals(self, ours: Sequence[str] = ()) -> str:
        """Who else commands an arm on this domain, in one sentence; "" if nobody does.

        ``ours`` are the nodes that may publish, one each. A publisher may be discovered before its name is; until then
        the name is :data:`UNKNOWN`.
        """
        for topic in (self._target, "planner/plan", "latent"):
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
            if health is None or time.monotonic() - health.at_s > FRESH_S:
                return f"{name} has not reported yet"
            if not health.ok:
                return f"{name}: {health.message}"
        return "" if all(client.service_is_ready() for client in self._triggers.values()) else "the services are not up"

    @property
    def done(self) -> bool:
        """Whether the planner says that the last goal is reached."""
        return bool(self.status.get("done", False))

    @property
    def line(self) -> str:
        """The one line that a person watches."""
        s = self.status
        if self.done:
            return f"sub-goal {s['subgoal'] + 1}/{s['subgoals']}  goal reached"
        if self.mode in ("holding", "stopped"):
            return f"sub-goal {s.get('subgoal', 0) + 1}/{s.get('subgoals', 0)}  {self.mode}: {self.reason}"
        return live_line(
            s.get("subgoal", 0), s.get("subgoals", 0), s.get("energy"), s.get("plan_ms"), s.get("guardrail", "ok")
        )

    def call(self, service: str) -> Any:
        """Call ``start`` or ``stop``; the future of the answer."""
        self._stop_asked = service == "stop"
        return self._triggers[service].call_async(Trigger.Request())

    def begin(self, film: Film) -> None:
        """Record from now on."""
        self.film, self._started_s = film, time.monotonic()

    # --- topics -------------------------------------------------------------------------------------------------------
    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            values = {pair.key: pair.value for pair in status.values}
            self.health[status.name] = NodeHealth(diagnostics.is_ok(status), status.message, values)

    def _on_status(self, msg: String) -> None:
        self.status = status = msg_to_json(msg)
        if self.film is not None and status["planned"]:
            energy = status["energy"] if status["energy"] is not None else math.nan
            self.rows.append(
                PlanRow(
                    time.monotonic() - self._started_s,
                    status["subgoal"],
                    energy,
                    status["plan_ms"],
                    status["latency_ms"],
                    status["guardrail"],
                )
            )

    def _on_state(self, msg: String) -> None:
        state = msg_to_json(msg)
        if self.film is not None and state["mode"] == "holding" and self.mode != "holding":
            self.holds.append(f"{time.monotonic() - self._started_s:.2f} s: {state['reason']}")
        self.mode, self.reason = state["mode"], state["reason"]
        self._stopped_s = state["stamp_s"] if self.mode == "stopped" else math.inf

    def _on_scene(self, msg: String) -> None:
        self.scene = msg_to_json(msg)

    def _on_frame(self, msg: Image) -> None:
        self.latest_frame = convert.msg_to_image(msg)
        if self.film is not None:
            stamp_s = convert.stamp_to_s(msg.header.stamp)
            self.film.add(self.latest_frame, stamp_s, self.status.get("subgoal", -1), self.line)

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
            target: Sequence[float] | NDArray = self._arm.tcp(convert.msg_to_pose(msg))
        except ValueError:
            target = [math.nan] * 6  # that is for the judge to count
        if stamp_s >= self._stopped_s:
            self.envelope.check(stamp_s, target, stopped=True)
        elif self._stop_asked or self.mode == "stopped":
            # From the call to the controller's word the target may freeze at any moment, and abruptly.
            self.envelope.check(stamp_s, None)
        else:
            self.envelope.check(stamp_s, target)
