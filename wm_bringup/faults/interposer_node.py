"""interposer_node: stands between two nodes of the graph, passes messages on, and lies when it is told to.

Who publishes the topic is remapped to ``<topic>/true``; see :mod:`wm_bringup.faults.inject`. ``fault/inject`` begins
the fault and ``fault/heal`` ends it (std_srvs/Trigger); both answer with the time, in seconds, at which it happened.
"""

from __future__ import annotations

import heapq
import itertools
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_core.errors import ConfigError
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Health
from wm_ros.node import WmNode, run_node

from . import alter

#: What can be altered, and how it is published.
TOPICS: dict[str, tuple[type, QoSProfile]] = {
    "camera/image_raw": (Image, qos.SENSOR),
    "latent": (Image, qos.SENSOR),
    "planner/plan": (JointTrajectory, qos.COMMAND),
    "arm/current_pose": (PoseStamped, qos.SENSOR),
    "arm/wrench": (WrenchStamped, qos.SENSOR),
}
#: The fault that is no alteration: a second publisher of ``topic``, as which any PoseStamped topic will do.
RIVAL = "rival"
#: By its frame id the recorder tells the rival's targets from the controller's; the arm looks at neither.
RIVAL_FRAME = "rival"
RIVAL_PERIOD_S = 0.02
RIVAL_POSE = (0.60, 0.20, 0.30, np.pi, 0.0, 0.0)
TICK_S = 0.001


def true_topic(topic: str) -> str:
    """Where the altered topic's own publisher publishes."""
    return f"{topic}/true"


@dataclass(frozen=True)
class InterposerConfig:
    """Parameters of interposer_node: which topic, which fault (``alter.ALTERATIONS`` or "rival"), and how much."""

    topic: str = "planner/plan"
    fault: str = "drop"
    value: float = 0.0

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
        if c.fault != RIVAL:
            kind, profile = TOPICS[c.topic]
            self._out = self.create_publisher(kind, c.topic, profile)
            self.create_subscription(kind, true_topic(c.topic), self._on_message, profile)
        self.create_service(Trigger, "fault/inject", self._on_inject)
        self.create_service(Trigger, "fault/heal", self._on_heal)
        self._timer = self.create_timer(TICK_S if c.fault != RIVAL else RIVAL_PERIOD_S, self._tick)
        self._timer.cancel()
        Diagnostics(self, lambda: Health(True))

    def _on_inject(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, str(self.now_s())
        if self.config.fault == RIVAL:
            self._rival = self.create_publisher(PoseStamped, self.config.topic, qos.COMMAND)
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
            self._rival.publish(convert.pose_to_msg(RIVAL_POSE, convert.s_to_stamp(now_s), RIVAL_FRAME))
        while self._due and self._due[0][0] <= now_s:
            self._out.publish(heapq.heappop(self._due)[2])


def main() -> None:
    sys.exit(run_node(InterposerNode))


if __name__ == "__main__":
    main()
