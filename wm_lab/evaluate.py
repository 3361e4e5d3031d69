"""Closed-loop evaluation: many episodes in one process through the same cores as the live graph.

The planner sees goal pictures, camera frames and the arm's own measured state. Ground truth is read only to score.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_controller.controller import ControllerConfig
from wm_controller.monitor import EnvelopeMonitor
from wm_core.errors import WmError
from wm_models.world_model import WorldModel
from wm_planner.planner import Planner, PlanResult
from wm_sim.expert import demonstrate, pick_goals
from wm_sim.scene import HOME_POSE, Camera, PandaScene

from .loop import ClosedLoop

Array = NDArray[np.float64]

#: After the planner says that the goal is reached, the arm holds for this many steps before the result is read.
SETTLE_STEPS = 4


@dataclass(frozen=True)
class Episode:
    """What became of one episode. Distances in metres, times in milliseconds."""

    seed: int
    placed: bool
    lifted: bool
    distance_m: float
    reach_error_m: float
    steps: int
    subgoal: int
    subgoals: int
    holds: int
    violations: int
    corrected: float


@dataclass(frozen=True)
class Report:
    """The scores of an evaluation. The keys are those of the JSON file."""

    episodes: int
    placed: int
    success_rate: float
    wilson_low: float
    wilson_high: float
    lifted: int
    plan_ms_p50: float
    plan_ms_p99: float
    encode_ms_p50: float
    encode_ms_p99: float
    guardrail_violations: int
    guardrail_corrected_fraction: float
    holds: int
    reach_error_m_median: float
    steps_mean: float
    failed_seeds: list[int]

    def text(self) -> str:
        """A few lines for people."""
        low, high = 100 * self.wilson_low, 100 * self.wilson_high
        return "\n".join(
            [
                f"placed            {self.placed} of {self.episodes}  ({100 * self.success_rate:.0f} %, "
                f"95 % interval {low:.0f}-{high:.0f} %)",
                f"lifted            {self.lifted} of {self.episodes}",
                f"steps, mean       {self.steps_mean:.1f}",
                f"reach error       {1000 * self.reach_error_m_median:.1f} mm median at the first sub-goal",
                f"plan              p50 {self.plan_ms_p50:.1f} ms, p99 {self.plan_ms_p99:.1f} ms",
                f"encode            p50 {self.encode_ms_p50:.2f} ms, p99 {self.encode_ms_p99:.2f} ms",
                f"guardrails        {self.guardrail_violations} violations of box, step or speed; "
                f"{100 * self.guardrail_corrected_fraction:.0f} % of candidates corrected; {self.holds} holds",
                f"failed seeds      {', '.join(map(str, self.failed_seeds)) if self.failed_seeds else 'none'}",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    p = successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


class Evaluator:
    """Runs episodes on one simulated arm.

    Args:
        model: encoder and predictor.
        planner: plans with that model; reset for every episode.
        controller: configuration of the real controller.
        goals: number of goal pictures, 1..8, taken evenly from the expert's eight.
        max_steps: an episode ends after this many plan steps at the latest.
        latency_s: time from frame to plan in the live graph, simulated here.
        camera: the exterior camera, if it does not stand where it did in training.
        hand_yaw_rad: how far the hand is held turned about the vertical, in the goal pictures and by the planner.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        controller: ControllerConfig,
        goals: int = 8,
        max_steps: int = 80,
        latency_s: float = 0.06,
        camera: Camera | None = None,
        hand_yaw_rad: float = 0.0,
    ) -> None:
        self.model, self.planner = model, planner
        self.goals, self.max_steps, self.latency_s = goals, max_steps, latency_s
        self.hand_yaw_rad = hand_yaw_rad
        self.scene = PandaScene(camera=camera)
        self.monitor = EnvelopeMonitor(controller.limits)
        self.loop = ClosedLoop(self.scene, controller, model.spec.step_period_s, self.monitor)
        self.plan_ms: list[float] = []
        self.encode_ms: list[float] = []

    def encode(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        started = time.perf_counter()
        latent = self.model.encode(frame[None])[0]
        self.encode_ms.append(1000 * (time.perf_counter() - started))
        return latent

    def run(self, seed: int, watch: Callable[[NDArray[np.uint8], PlanResult], None] | None = None) -> Episode:
        """One episode in scene ``seed``; ``watch`` sees every frame and plan, and ends it by raising.

        Raises WmError if the expert fails.
        """
        self._reset(seed)
        shown = demonstrate(self.scene, hand_yaw_rad=self.hand_yaw_rad)
        chosen = pick_goals(self.goals, len(shown.frames))
        goal_states = [shown.states[i] for i in chosen]
        self._reset(seed)
        self.loop.begin()
        self.planner.set_goals(self.model.encode(np.stack([shown.frames[i] for i in chosen])))
        before, broken = self.monitor.violations, 0
        reach_error, lifted, holds, settled = math.nan, False, 0, 0
        corrected: list[float] = []
        subgoal, steps = 0, 0
        while steps < self.max_steps:
            steps += 1
            seen = self.loop.observe()
            plan = self.planner.plan(self.encode(seen.frame), seen.state, seen.stamp_s)
            self.plan_ms.append(plan.plan_ms)
            broken += self._plan_violations(seen.state, plan)
            if watch is not None:
                watch(seen.frame, plan)
            if math.isnan(reach_error) and (plan.subgoal > 0 or plan.done):
                reach_error = float(np.linalg.norm(seen.state[:3] - goal_states[0][:3]))
            subgoal = plan.subgoal
            if plan.done:
                settled += 1
                if settled > SETTLE_STEPS:
                    break
            else:
                corrected.append(plan.infeasible_fraction)
                holds += plan.hold
            self.loop.step(None if plan.hold else plan.actions, self.latency_s)
            lifted = lifted or bool(self.scene.cube_position()[2] > 0.06)
        return Episode(
            seed=seed,
            placed=self.scene.placed(),
            lifted=lifted,
            distance_m=self.scene.goal_distance_m(),
            reach_error_m=reach_error,
            steps=steps - settled,
            subgoal=subgoal,
            subgoals=len(chosen),
            holds=holds,
            violations=self.monitor.violations - before + broken,
            corrected=float(np.mean(corrected)) if corrected else 0.0,
        )

    def _reset(self, seed: int) -> None:
        self.scene.reset(seed)
        if self.hand_yaw_rad != 0.0:
            self.scene.set_arm(HOME_POSE + [0.0, 0.0, 0.0, 0.0, 0.0, self.hand_yaw_rad])

    def hostile(
        self, plans: int, seed: int = 0, watch: Callable[[NDArray[np.uint8], PlanResult], None] | None = None
    ) -> dict[str, int]:
        """At least ``plans`` closed-loop plans towards goals that no good can come of; counts of what was violated.

        Noise, black frames, and photographs of the arm outside its box, each pursued for 10 steps from a new scene.
        """
        rng = np.random.default_rng(seed)
        counts = {"plans": 0, "holds": 0, "violations": 0}
        before = self.monitor.violations
        while counts["plans"] + counts["holds"] < plans:
            self.scene.reset(int(rng.integers(1_000_000)))
            for goal in self._hostile_goals(rng):
                self.scene.reset(int(rng.integers(1_000_000)))
                self.loop.begin()
                self.planner.set_goals(self.model.encode(goal[None]))
                for _ in range(10):
                    seen = self.loop.observe()
                    plan = self.planner.plan(self.encode(seen.frame), seen.state, seen.stamp_s)
                    counts["holds" if plan.hold else "plans"] += 1
                    counts["violations"] += self._plan_violations(seen.state, plan)
                    if watch is not None:
                        watch(seen.frame, plan)
                    self.loop.step(None if plan.hold else plan.actions, self.latency_s)
        counts["violations"] += self.monitor.violations - before
        return counts

    def _hostile_goals(self, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
        shape = self.scene.render().shape
        goals = [rng.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8)]
        low, high = np.array(self.monitor.limits.box_min_m), np.array(self.monitor.limits.box_max_m)
        for axis, sign in ((0, 1), (1, -1), (1, 1), (2, -1)):
            pose = HOME_POSE.copy()
            pose[axis] = high[axis] + 0.06 if sign > 0 else low[axis] - 0.015 if axis == 2 else low[axis] - 0.06
            self.scene.set_arm(pose)
            goals.append(self.scene.render().copy())
        return goals

    def _plan_violations(self, state: Array, plan: PlanResult) -> int:
        """Steps of a plan that are too long, too fast, or lead (further) out of the box; judged without the planner."""
        limits = self.monitor.limits
        longest = min(limits.step_m, limits.speed_m_s * self.model.spec.step_period_s)
        steps = np.linalg.norm(plan.actions[:, :3], axis=1) > longest + 1e-9
        path = state[:3] + np.cumsum(plan.actions[:, :3], axis=0)
        low, high = np.minimum(limits.box_min_m, state[:3]), np.maximum(limits.box_max_m, state[:3])
        outside = np.any((path < low - 1e-9) | (path > high + 1e-9), axis=1)
        return int(np.count_nonzero(steps) + np.count_nonzero(outside))

    def report(self, episodes: Sequence[Episode]) -> Report:
        if not episodes:
            raise WmError("no episode was finished, so there is nothing to report")
        placed = sum(e.placed for e in episodes)
        low, high = wilson(placed, len(episodes))
        reach = [e.reach_error_m for e in episodes if not math.isnan(e.reach_error_m)]
        return Report(
            episodes=len(episodes),
            placed=placed,
            success_rate=placed / len(episodes),
            wilson_low=low,
            wilson_high=high,
            lifted=sum(e.lifted for e in episodes),
            plan_ms_p50=float(np.percentile(self.plan_ms, 50)),
            plan_ms_p99=float(np.percentile(self.plan_ms, 99)),
            encode_ms_p50=float(np.percentile(self.encode_ms, 50)),
            encode_ms_p99=float(np.percentile(self.encode_ms, 99)),
            guardrail_violations=sum(e.violations for e in episodes),
            guardrail_corrected_fraction=float(np.mean([e.corrected for e in episodes])),
            holds=sum(e.holds for e in episodes),
            reach_error_m_median=float(np.median(reach)) if reach else math.nan,
            steps_mean=float(np.mean([e.steps for e in episodes])),
            failed_seeds=[e.seed for e in episodes if not e.placed],
        )

    def close(self) -> None:
        self.scene.close()
