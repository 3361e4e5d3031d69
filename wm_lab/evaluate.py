"""Closed-loop evaluation: many episodes in one process through the same cores as the live graph.

The planner sees goal pictures, camera frames and the arm's own measured state. Ground truth is read only to score.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_controller.controller import ControllerConfig
from wm_controller.monitor import EnvelopeMonitor
from wm_core.errors import ConfigError, WmError
from wm_models.world_model import WorldModel
from wm_planner.planner import Planner, PlanResult
from wm_sim.expert import demonstrate, pick_goals
from wm_sim.scene import HOME_POSE, Camera, PandaScene

from .loop import ClosedLoop
from .proportions import wilson

Array = NDArray[np.float64]

#: After the planner says that the goal is reached, the arm holds for this many steps before the result is read.
SETTLE_STEPS = 4


@dataclass(frozen=True)
class Case:
    """What is asked of a planner in each scene. Raises ConfigError where that makes no sense.

    ``goals`` pictures are taken evenly from the expert's eight; an episode ends after ``max_steps`` plan steps at the
    latest; ``latency_s`` passes between a frame and its plan. The camera stands turned by ``camera_azimuth_deg``;
    ``calibration`` is its preset as 'wm calibrate' leaves it, whose axes are then used, and with ``turn_hand`` the hand
    is held turned as they are.
    """

    goals: int = 8
    max_steps: int = 80
    latency_s: float = 0.06
    camera_azimuth_deg: float = 0.0
    calibration: str | None = None
    turn_hand: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.goals <= 8:
            raise ConfigError(f"goals = {self.goals} is outside 1..8")
        if self.max_steps < 1:
            raise ConfigError(f"max_steps = {self.max_steps} lets nothing move; give a number of 1 or more")
        if not 0.0 <= self.latency_s < float("inf"):
            raise ConfigError(f"latency_s = {self.latency_s} must be a finite number, at least 0")
        if not abs(self.camera_azimuth_deg) <= 180.0:
            raise ConfigError(f"camera_azimuth_deg = {self.camera_azimuth_deg} is outside -180..180")
        if self.turn_hand and self.calibration is None:
            raise ConfigError("nobody reads turn_hand without calibration, which has the axes to turn it by; give both")


@dataclass(frozen=True)
class Timings:
    """How long it took: of each plan and each frame in milliseconds, and the whole episode."""

    plan_ms: list[float]
    encode_ms: list[float]
    wall_s: float


@dataclass(frozen=True)
class Episode:
    """What became of one episode; the same each time, but for its timings. Distances in metres.

    ``reach_error_m`` is the distance from the first sub-goal when it had ended; None if it never did.
    """

    seed: int
    placed: bool
    lifted: bool
    distance_m: float
    reach_error_m: float | None
    steps: int
    subgoal: int
    subgoals: int
    holds: int
    violations: int
    corrected: float
    timings: Timings = field(compare=False)

    def record(self) -> dict[str, Any]:
        """What :meth:`of_record` takes; JSON can hold it."""
        result = asdict(self)
        return {"timings": result.pop("timings"), "result": result}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Episode:
        """Raises TypeError and KeyError where it is none."""
        return cls(**record["result"], timings=Timings(**record["timings"]))


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


class Evaluator:
    """Runs episodes on one simulated arm.

    Args:
        model: encoder and predictor.
        planner: plans with that model; reset for every episode.
        controller: configuration of the real controller.
        case: what is asked; its calibration is the business of whoever makes the planner.
        hand_yaw_rad: how far the hand is held turned about the vertical, in the goal pictures and by the planner.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        controller: ControllerConfig,
        case: Case | None = None,
        hand_yaw_rad: float = 0.0,
    ) -> None:
        self.model, self.planner = model, planner
        self.case, self.hand_yaw_rad = Case() if case is None else case, hand_yaw_rad
        self.scene = PandaScene(camera=Camera(azimuth_deg=self.case.camera_azimuth_deg))
        self.monitor = EnvelopeMonitor(controller.limits)
        self.loop = ClosedLoop(self.scene, controller, model.spec.step_period_s, self.monitor)
        self.encode_ms: list[float] = []

    def encode(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        started = time.perf_counter()
        latent = self.model.encode(frame[None])[0]
        self.encode_ms.append(1000 * (time.perf_counter() - started))
        return latent

    def run(self, seed: int) -> Episode:
        """One episode in scene ``seed``. Raises WmError if the expert fails."""
        began_s = time.perf_counter()
        self._reset(seed)
        shown = demonstrate(self.scene, hand_yaw_rad=self.hand_yaw_rad)
        chosen = pick_goals(self.case.goals, len(shown.frames))
        goal_states = [shown.states[i] for i in chosen]
        self._reset(seed)
        self.loop.begin()
        self.planner.set_goals(self.model.encode(np.stack([shown.frames[i] for i in chosen])))
        before, broken = self.monitor.violations, 0
        reach_error: float | None = None
        lifted, holds, settled = False, 0, 0
        corrected: list[float] = []
        plan_ms: list[float] = []
        self.encode_ms = []
        subgoal, steps = 0, 0
        while steps < self.case.max_steps:
            steps += 1
            seen = self.loop.observe()
            plan = self.planner.plan(self.encode(seen.frame), seen.state, seen.stamp_s)
            plan_ms.append(plan.plan_ms)
            broken += self._plan_violations(seen.state, plan)
            if reach_error is None and (plan.subgoal > 0 or plan.done):
                reach_error = float(np.linalg.norm(seen.state[:3] - goal_states[0][:3]))
            subgoal = plan.subgoal
            if plan.done:
                settled += 1
                if settled > SETTLE_STEPS:
                    break
            else:
                corrected.append(plan.infeasible_fraction)
                holds += plan.hold
            self.loop.step(None if plan.hold else plan.actions, self.case.latency_s)
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
            timings=Timings(plan_ms, self.encode_ms, time.perf_counter() - began_s),
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
                    self.loop.step(None if plan.hold else plan.actions, self.case.latency_s)
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

    def close(self) -> None:
        self.scene.close()


def report(episodes: Sequence[Episode]) -> Report:
    """The scores of finished episodes. Raises WmError if there are none."""
    if not episodes:
        raise WmError("no episode was finished, so there is nothing to report")
    placed = sum(e.placed for e in episodes)
    low, high = wilson(placed, len(episodes))
    reach = [e.reach_error_m for e in episodes if e.reach_error_m is not None]
    plan_ms = [ms for e in episodes for ms in e.timings.plan_ms]
    encode_ms = [ms for e in episodes for ms in e.timings.encode_ms]
    return Report(
        episodes=len(episodes),
        placed=placed,
        success_rate=placed / len(episodes),
        wilson_low=low,
        wilson_high=high,
        lifted=sum(e.lifted for e in episodes),
        plan_ms_p50=float(np.percentile(plan_ms, 50)),
        plan_ms_p99=float(np.percentile(plan_ms, 99)),
        encode_ms_p50=float(np.percentile(encode_ms, 50)),
        encode_ms_p99=float(np.percentile(encode_ms, 99)),
        guardrail_violations=sum(e.violations for e in episodes),
        guardrail_corrected_fraction=float(np.mean([e.corrected for e in episodes])),
        holds=sum(e.holds for e in episodes),
        reach_error_m_median=float(np.median(reach)) if reach else math.nan,
        steps_mean=float(np.mean([e.steps for e in episodes])),
        failed_seeds=[e.seed for e in episodes if not e.placed],
    )
