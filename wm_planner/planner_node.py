"""planner_node: ``latent`` and the measured state to ``planner/plan``, once per model step of a run.

It plans for a run whose start it saw, with goals that somebody asked for; see runs.py and goal_sets.py.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from wm_core.errors import GoalError
from wm_core.reports import Health, PlannerStatus
from wm_core.topics import GOAL_IMAGE, GOAL_LATENT, MARKERS, USE_GOALS
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_ros import convert
from wm_ros.diagnostics import Diagnostics, Rolling
from wm_ros.endpoints import publisher, subscribe
from wm_ros.node import WmNode
from wm_ros.run import run_node
from wm_ros.voices import Voices
from wm_ros.worker import Worker

from .goal_pictures import GoalPictures
from .goal_sets import GoalSets, Label
from .node_config import PlannerNodeConfig
from .planner import Planner, PlanResult
from .role import Role
from .sight import Seen, Sight

#: A frame is due when this share of a step has passed since the last plan's frame: a camera's frames do not fall
#: exactly on the steps, and the frame just before is better than the one after.
DUE_FRACTION = 0.9


class PlannerNode(WmNode[PlannerNodeConfig]):
    """The executor's thread keeps the newest values; one worker thread owns the planner."""

    def __init__(self) -> None:
        super().__init__("planner", PlannerNodeConfig)
        c = self.config
        self._model = imagination.load(Bundle.load(c.bundle), c.backend, c.threads, c.memory_mb, c.axes)
        self._planner = Planner(self._model, c.limits, c)
        self._period_s = self._model.spec.step_period_s
        self._planned_s = -math.inf
        self._result: PlanResult | None = None
        self._goals_fault = ""
        self._plan_ms, self._latency_ms = Rolling(), Rolling()
        self._worker = Worker(lambda error: self._sight.refuse(str(error)))
        self._role = Role(self, "planner", self._on_mode, self._silence)
        self._pictures = GoalPictures(self, c.goal, self._role.instance)
        self._sets = GoalSets(self._model.latent_shape, self._pictures.label)
        self._showing = Voices(self)
        self._showing.watch(GOAL_IMAGE.name, beside=True)
        self._markers = publisher(self, MARKERS)
        self._sight = Sight(self, c, self._on_seen)
        subscribe(self, GOAL_LATENT, self._on_goal)
        self.create_service(Trigger, USE_GOALS, self._on_use_goals)
        Diagnostics(self, self._health)
        self._role.say(self._silence())
        self._pictures.show()

    # --- goals --------------------------------------------------------------------------------------------------------
    def _on_goal(self, msg: Image) -> None:
        try:
            index, count, run = convert.parse_goal_frame(msg.header.frame_id)
            label = Label(run, convert.stamp_to_s(msg.header.stamp), count)
            own = self._sets.add(label, index, convert.msg_to_latent(msg), self._role.runs.open)
        except (GoalError, ValueError) as error:
            return self.warn(str(error))  # nobody asked for it: nothing changes
        self._pictures.missing = self._sets.own_missing
        if own is not None:
            try:
                self._use(label, own)
            except GoalError as error:
                self._goals_fault = str(error)

    def _on_use_goals(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Use the one set of pictures (of one stamp) that waits for the present run or, while idle, for the next."""
        runs = self._role.runs
        try:
            if runs.closed:
                raise GoalError(runs.closed)
            if rivals := self._showing.trouble(at_once=True):
                self._sets.drop(runs.current)
                raise GoalError(f"{rivals}, then publish the pictures under a new stamp")
            label, latents = self._sets.next(runs.current)
            self._sets.drop(runs.current)  # used or refused, they are not to be asked for again
            self._use(label, latents)
            said = f"{label.count} goal pictures, stamped {label.stamp_s:.3f}, are in use in run {label.run}"
            response.success, response.message = True, said
        except GoalError as error:
            response.success, response.message = False, f"not used: {error}"
        return response

    def _use(self, label: Label, latents: NDArray[np.float32]) -> None:
        """Plan with these goals, from the first one on. Raises GoalError; then those in use stay."""
        goals = self._planner.prepare(latents)
        self._sets.use(label)
        self._goals_fault = ""
        self._role.runs.replace()
        self._begin_anew(lambda: self._planner.take(goals))
        self._role.runs.ready()

    def _begin_anew(self, begin: Callable[[], None]) -> None:
        self._result, self._planned_s = None, -math.inf
        self._worker.submit(begin)

    # --- plans --------------------------------------------------------------------------------------------------------
    def _on_mode(self, begins: bool) -> None:
        self._sets.keep(self._role.runs.open)
        if begins:
            self._begin_anew(self._planner.reset)
        elif not self._role.runs.running:
            self._worker.submit(self._planner.pause)

    def _on_seen(self, seen: Seen) -> None:
        runs = self._role.runs
        due = abs(seen.stamp_s - self._planned_s) >= DUE_FRACTION * self._period_s
        if runs.planning and due:
            self._planned_s = seen.stamp_s
            turn, running = runs.turn, runs.running
            self._worker.offer(lambda: self._plan(seen, turn, running))

    def _plan(self, seen: Seen, turn: int, running: bool) -> None:
        stamp, c, runs = seen.stamp, self.config, self._role.runs
        result = self._planner.plan(seen.latent, seen.state, seen.stamp_s, running)
        if turn != runs.turn or not runs.planning:
            return  # meanwhile the run has ended, or other goals are in use
        self._result = result
        latency_ms = 1e3 * (self.now_s() - seen.stamp_s)
        if result.done:
            runs.finish(turn, result.reached)
        elif not result.hold:
            self._role.plan(convert.plan_to_msg(result.actions, self._period_s, stamp, c.base_frame))
            self._plan_ms.add(result.plan_ms)
            self._latency_ms.add(latency_ms)
        self._role.say(self._report(result.reason, not result.hold, latency_ms))
        if self._markers.get_subscription_count() > 0:
            low, high = c.limits.box_min_m, c.limits.box_max_m
            self._markers.publish(convert.plan_markers(result.paths, low, high, stamp, c.base_frame))

    # --- reports ------------------------------------------------------------------------------------------------------
    def _report(self, reason: str, planned: bool = False, latency_ms: float | None = None) -> PlannerStatus:
        """``planner/status``: one JSON object per plan, and some per second while there is none."""
        sets = self._sets
        said = {"planned": planned, "reason": reason, "latency_ms": latency_ms, "subgoal": 0, "subgoals": sets.count}
        said |= {"pending": sets.pending(self._role.runs.open), "aside": sets.aside}
        said |= {"rivals": self._showing.trouble(), "goals": ("",) * sets.count}
        return PlannerStatus(**{**said, **self._figures()})

    def _figures(self) -> dict[str, Any]:
        """What the newest result says of itself; nothing before the first."""
        if (result := self._result) is None:
            return {}
        names = "subgoal", "guardrail", "plan_ms", "infeasible_fraction"
        energy = result.goal_energy if math.isfinite(result.goal_energy) else None
        ended = (*result.outcomes, *("",) * (result.subgoals - len(result.outcomes)))
        return {"energy": energy, "goals": ended, **{name: getattr(result, name) for name in names}}

    def _why_not(self) -> str:
        """Why nothing can be planned now, whatever the controller does; "" if all is there."""
        sight, sets = self._sight, self._sets
        return next(filter(None, (sight.trouble, self._goals_fault, sets.missing, sight.silence)), "")

    def _silence(self) -> PlannerStatus:
        runs, result = self._role.runs, self._result
        planned = result.reason if result is not None else ""
        ended = planned if runs.done and not runs.refused else ""
        return self._report(next(filter(None, (ended, self._why_not(), self._role.idle, planned)), ""))

    def _health(self) -> Health:
        why_not = self._why_not()
        values: dict[str, Any] = {"rate_hz": self._plan_ms.rate_hz(), **self._plan_ms.summary("plan")}
        values |= {**self._latency_ms.summary("frame_to_plan"), "dropped": self._worker.dropped}
        values |= {"left_aside": self._sets.left_aside, "unreadable": self._role.unreadable}
        values |= {f"backend.{key}": value for key, value in self._model.info().items()}
        return Health(not why_not, why_not, values | self._figures())

    def close(self) -> None:
        self._worker.close()
        self._model.close()


def main() -> None:
    sys.exit(run_node(PlannerNode))


if __name__ == "__main__":
    main()
