"""planner_node: ``latent`` and the measured state to ``plan``, once per model step, from when the goals are encoded."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from wm_core.errors import GoalError
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Health, Rolling
from wm_ros.goal_latents import GoalLatents
from wm_ros.node import WmNode, json_to_msg, msg_to_json, run_node
from wm_ros.worker import Worker

from .axes import turned
from .goals import load_goals
from .node_config import PlannerNodeConfig
from .planner import Planner, PlanResult
from .proposals import bundled
from .sight import Seen, Sight

#: A frame is due when this share of a step has passed since the last plan's frame: a camera's frames do not fall
#: exactly on the steps, and the frame just before is better than the one after.
DUE_FRACTION = 0.9
STATUS_PERIOD_S = 0.5


class PlannerNode(WmNode[PlannerNodeConfig]):
    """The executor's thread keeps the newest values; one worker thread owns the planner."""

    def __init__(self) -> None:
        super().__init__("planner", PlannerNodeConfig)
        c = self.config
        bundle = Bundle.load(c.bundle)
        self._model = WorldModel(bundle, c.backend, c.threads, parts=("predictor",))
        self._proposal = bundled(bundle, c.proposal, c.backend, c.threads, c.search, c.limits)
        in_base, start = turned(self._model, self._proposal, c.axes)
        self._planner = Planner(in_base, c.limits, c, start)
        self._period_s = self._model.spec.step_period_s
        pictures = load_goals(c.goal) if c.goal else []
        self._goals = GoalLatents(len(pictures))
        self._mode = ""
        self._goals_fault = "the goals are not set"
        self._planned_s = self._reported_at_s = -math.inf
        self._result: PlanResult | None = None
        self._plan_ms, self._latency_ms = Rolling(), Rolling()
        self._worker = Worker(lambda error: self._sight.refuse(str(error)))
        self._plan_out = self.create_publisher(JointTrajectory, "planner/plan", qos.COMMAND)
        self._markers = self.create_publisher(MarkerArray, "markers", qos.LATCHED)
        self._status = self.create_publisher(String, "planner/status", qos.LATCHED)
        goal_images = self.create_publisher(Image, "goal/image", qos.GOALS)
        self._sight = Sight(self, c, self._on_seen)
        self.create_subscription(Image, "goal/latent", self._on_goal, qos.GOALS)
        self.create_subscription(String, "controller/state", self._on_mode, qos.LATCHED)
        stamp = self.get_clock().now().to_msg()
        for k, picture in enumerate(pictures):
            goal_images.publish(convert.image_to_msg(picture, stamp, convert.goal_frame(k, len(pictures))))
        self.create_timer(STATUS_PERIOD_S, self._report_silence)
        Diagnostics(self, self._health)

    def _on_goal(self, msg: Image) -> None:
        try:
            goals = self._goals.add(msg)
        except ValueError as error:
            return self._sight.refuse(str(error))
        if goals is not None:
            self._worker.submit(lambda: self._take_goals(goals))

    def _take_goals(self, goals: NDArray[np.float32]) -> None:
        try:
            self._planner.set_goals(goals)
            self._goals_fault = ""
        except GoalError as error:
            self._goals_fault = str(error)

    def _on_mode(self, msg: String) -> None:
        before, self._mode = self._mode, str(msg_to_json(msg).get("mode", ""))
        if before in ("", "idle") and self._acting:
            self._worker.submit(self._planner.reset)  # a new run starts at the first sub-goal; a resumed one goes on

    @property
    def _acting(self) -> bool:
        """Whether the controller executes plans; a hold by a watchdog ends with the next plan."""
        return self._mode in ("running", "holding")

    def _on_seen(self, seen: Seen) -> None:
        due = abs(seen.stamp_s - self._planned_s) >= DUE_FRACTION * self._period_s
        if self._acting and not self._goals_fault and due:
            self._planned_s = seen.stamp_s
            self._worker.offer(lambda: self._plan(seen))

    def _plan(self, seen: Seen) -> None:
        stamp, c = seen.stamp, self.config
        self._result = result = self._planner.plan(seen.latent, seen.state, seen.stamp_s)
        if not result.hold:
            self._plan_out.publish(convert.plan_to_msg(result.actions, self._period_s, stamp, c.base_frame))
            self._plan_ms.add(result.plan_ms)
            self._latency_ms.add(1e3 * (self.now_s() - seen.stamp_s))
        self._report(result.reason, not result.hold, 1e3 * (self.now_s() - seen.stamp_s))
        if self._markers.get_subscription_count() > 0:
            low, high = c.limits.box_min_m, c.limits.box_max_m
            self._markers.publish(convert.plan_markers(result.paths, low, high, stamp, c.base_frame))

    def _report(self, reason: str, planned: bool = False, latency_ms: float | None = None) -> None:
        """``planner/status``: one JSON object per plan, or two per second while there is none."""
        report = {"planned": planned, "reason": reason, "latency_ms": latency_ms, "subgoals": self._goals.count}
        report |= {"subgoal": 0, "done": False, "guardrail": "ok", **self._figures()}
        self._status.publish(json_to_msg(report))
        self._reported_at_s = time.monotonic()

    def _figures(self) -> dict[str, Any]:
        """What the newest result says of itself; nothing before the first."""
        if (result := self._result) is None:
            return {}
        names = "subgoal", "done", "guardrail", "plan_ms", "infeasible_fraction"
        energy = result.goal_energy if math.isfinite(result.goal_energy) else None
        return {"energy": energy, **{name: getattr(result, name) for name in names}}

    def _why_not(self) -> str:
        """Why nothing can be planned now, whatever the controller does; "" if all is there."""
        sight, goals = self._sight, self._goals
        return next(filter(None, (sight.trouble, goals.missing, self._goals_fault, sight.silence)), "")

    def _report_silence(self) -> None:
        if time.monotonic() - self._reported_at_s >= STATUS_PERIOD_S:
            why_not = self._why_not()
            self._report(why_not if why_not else f"the controller is {self._mode if self._mode else 'silent'}")

    def _health(self) -> Health:
        why_not = self._why_not()
        values: dict[str, Any] = {"rate_hz": self._plan_ms.rate_hz(), **self._plan_ms.summary("plan")}
        values |= {**self._latency_ms.summary("frame_to_plan"), "dropped": self._worker.dropped}
        values |= {f"backend.{key}": value for key, value in self._model.info()["predictor"].items()}
        return Health(not why_not, why_not, values | self._figures())

    def close(self) -> None:
        self._worker.close()
        self._model.close()
        if self._proposal is not None:
            self._proposal.close()


def main() -> None:
    sys.exit(run_node(PlannerNode))


if __name__ == "__main__":
    main()
