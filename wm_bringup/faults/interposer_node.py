"""interposer_node: stands between two nodes of the graph, passes messages on, and lies when it is told to.

Who publishes the topic is remapped to ``<topic>/true``; see :mod:`wm_bringup.faults.inject`. ``fault/inject`` begins
the fault and ``fault/heal`` ends it (std_srvs/Trigger); both answer with the time, in seconds, at which it happened.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from std_srvs.srv import Trigger

from wm_core import topics
from wm_core.errors import ConfigError
from wm_core.reports import ControllerState, EncoderStatus, Health, Mode, PlannerStatus, Report
from wm_core.topics import Topic
from wm_ros import convert
from wm_ros.diagnostics import Diagnostics
from wm_ros.endpoints import publisher, subscribe
from wm_ros.node import WmNode, report_to_msg
from wm_ros.run import run_node

from . import alter

#: Where a rival says that the arm is, or wants it; by this the recorder tells its poses from the true ones.
RIVAL_POSE = (0.60, 0.20, 0.30, np.pi, 0.0, 0.0)
#: By its frame id the recorder tells the rival's targets from the controller's; the arm looks at neither.
RIVAL_FRAME = "rival"
_DONE = PlannerStatus(instance="0" * 8, done=True, reached=True, subgoal=0, subgoals=1)
_RUNNING = ControllerState(Mode.RUNNING, "", 0.0, "0" * 8)
_FORTH = np.tile([0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], (4, 1))


def _report(report: Report) -> Callable[[Time, str], Any]:
    return lambda stamp, frame: report_to_msg(report)


#: What a rival says on each topic that can be altered, or have a rival; from a stamp and the frame id of the arm.
EXAMPLES: dict[Topic, Callable[[Time, str], Any]] = {
    topics.CAMERA: lambda stamp, frame: convert.image_to_msg(np.zeros((64, 64, 3), dtype=np.uint8), stamp, "camera"),
    topics.LATENT: lambda stamp, frame: convert.latent_to_msg(np.zeros((1, 1), dtype=np.float32), stamp, "camera"),
    topics.status(topics.ENCODER): _report(EncoderStatus("0" * 8)),
    topics.plan("planner"): lambda stamp, frame: convert.plan_to_msg(_FORTH, 0.25, stamp, frame),
    topics.status("planner"): _report(_DONE),
    topics.STATE: _report(_RUNNING),
    topics.TARGET: lambda stamp, frame: convert.pose_to_msg(RIVAL_POSE, stamp, RIVAL_FRAME),
    topics.POSE: lambda stamp, frame: convert.pose_to_msg(RIVAL_POSE, stamp, frame),
    topics.WRENCH: lambda stamp, frame: convert.wrench_to_msg(np.zeros(6), stamp, frame),
    topics.GRIPPER: lambda stamp, frame: convert.gripper_to_msg(1.0, stamp),
}
TOPICS: dict[str, Topic] = {topic.name: topic for topic in EXAMPLES}
#: The fault that is no alteration: a second publisher of ``topic``.
RIVAL = "rival"
RIVAL_PERIOD_S = 0.02
TICK_S = 0.001


def source(topic: Topic) -> str:
    """The node of the simulated graph that publishes it: the simulated arm has a camera, too."""
    return "sim_arm" if topic.by in ("arm", "camera") else topic.by


def true_topic(topic: str) -> str:
    """Where the altered topic's own publisher publishes."""
    return f"{topic}/true"


@dataclass(frozen=True)
class InterposerConfig:
    """Parameters of interposer_node: which topic, which fault (``alter.ALTERATIONS`` or "rival"), and how much."""

    topic: str = topics.plan("planner").name
    fault: str = "drop"
    value: float = 0.0
    base_frame: str = "base"

    def __post_init__(self) -> None:
        if self.fault != RIVAL:
            alter.make(self.fault, self.value)
        if self.topic not in TOPICS:
            raise ConfigError(f"'{self.topic}' is not one of the topics {', '.join(TOPICS)}")


class InterposerNode(WmNode[InterposerConfig]):
    """One topic, one fault."""

    def __init__(self) -> None:
        super().__init__("interposer", InterposerConfig)
        c = self.config
        self._alteration: alter.Alteration | None = None
        self._due: list[tuple[float, int, Any]] = []
        self._number = itertools.count()
        self._rival: Any = None
        topic = self._topic = TOPICS[c.topic]
        if c.fault != RIVAL:
            # Under the name of the node that it speaks for: who listens may know that one, and nobody else.
            self._speaker = Node(source(topic), use_global_arguments=False, start_parameter_services=False)
            self._out = publisher(self._speaker, topic)
            subscribe(self, replace(topic, name=true_topic(c.topic)), self._on_message)
        self.create_service(Trigger, "fault/inject", self._on_inject)
        self.create_service(Trigger, "fault/heal", self._on_heal)
        self._timer = self.create_timer(TICK_S if c.fault != RIVAL else RIVAL_PERIOD_S, self._tick)
        self._timer.cancel()
        Diagnostics(self, lambda: Health(True))

    def _on_inject(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, str(self.now_s())
        if self.config.fault == RIVAL:
            self._rival = publisher(self, self._topic)
        else:
            self._alteration = alter.make(self.config.fault, self.config.value)
        self._timer.reset()
        return response

    def _on_heal(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, str(self.now_s())
        self._timer.cancel()
        self._due.clear()
        self._alteration = None
        if self._rival is not None:
            self.destroy_publisher(self._rival)
            self._rival = None
        return response

    def _on_message(self, msg: Any) -> None:
        if self._alteration is None:
            return self._out.publish(msg)
        now_s = self.now_s()
        for due_s, altered in self._alteration(msg, now_s):
            if due_s <= now_s:
                self._out.publish(altered)
            else:
                heapq.heappush(self._due, (due_s, next(self._number), altered))

    def _tick(self) -> None:
        now_s = self.now_s()
        if self._rival is not None:
            self._rival.publish(EXAMPLES[self._topic](convert.s_to_stamp(now_s), self.config.base_frame))
        while self._due and self._due[0][0] <= now_s:
            self._out.publish(heapq.heappop(self._due)[2])


def main() -> None:
    sys.exit(run_node(InterposerNode))


if __name__ == "__main__":
    main()
