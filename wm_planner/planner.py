"""The planner: from a latent and a measured state to a few feasible steps towards the present sub-goal, or a hold."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.errors import ConfigError, GoalError, WmError, one_line
from wm_core.limits import Limits
from wm_core.path import integrate_path
from wm_core.pose import STATE_DIM, difference, euler_to_matrix, rotation_angle
from wm_models.imagination import Handle, Imagination

from . import guardrails
from .action_space import ActionSpace
from .costs import Cost, Query
from .costs.goal import Goal
from .gates import Gate, Moment
from .optimisers import OptimiserConfig, Solution
from .optimisers.cem import CemConfig
from .problem import PlanningProblem
from .proposals import ProposalConfig
from .subgoals import SubgoalConfig, Subgoals

Array = NDArray[np.float64]

#: An arm that has moved this far has moved: far more than a held one sags, trembles or is measured to.
MOVED_M, MOVED_RAD, MOVED_GRIPPER = 0.005, 0.05, 0.1


#: What is said where the last goal has ended otherwise than by being reached.
NOT_REACHED = "the last goal was not reached: its time was over, or the arm did not move"


@dataclass(frozen=True)
class Goals:
    """Goals that can be planned with, and the walk over them; see :meth:`Planner.prepare`."""

    latents: tuple[Handle, ...]
    subgoals: Subgoals


@dataclass(frozen=True)
class PlannerConfig:
    """What is planned, and how. Raises ConfigError on nonsense."""

    #: Steps of a plan.
    horizon: int = 2
    optimiser: OptimiserConfig = field(default_factory=CemConfig)
    #: What is minimised: the sum of these. A plan without one that asks the model would lead nowhere.
    costs: dict[str, Cost] = field(default_factory=lambda: {"goal": Goal()})
    #: Where the search begins; None: around standing still, or what is left of the last plan.
    proposal: ProposalConfig | None = None
    #: What may hold a plan back, besides the guardrails.
    gates: dict[str, Gate] = field(default_factory=dict)
    subgoals: SubgoalConfig = field(default_factory=SubgoalConfig)

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise ConfigError(f"horizon = {self.horizon} must be at least 1")
        if not any(cost.terms for cost in self.costs.values()):
            raise ConfigError("costs has none that asks the model, and a plan would lead nowhere; add goal: {}")
        for name, cost in self.costs.items():
            if cost.needs_proposal and self.proposal is None:
                raise ConfigError(f"costs.{name} says nothing without a proposal; set it to null, or choose a proposal")


@dataclass(frozen=True)
class PlanResult:
    """A plan, or a hold and the reason for it."""

    #: TCP deltas (H, 7) in the base frame; all zero in a hold.
    actions: Array
    hold: bool
    #: One sentence in a hold, "" in a plan.
    reason: str
    #: Cost expected of the plan, and energy from the present latent to the present sub-goal; NaN where unknown.
    energy: float
    goal_energy: float
    #: Present sub-goal, counted from 0, and how many there are.
    subgoal: int
    subgoals: int
    done: bool
    #: With ``done``: whether the last goal has really been reached, neither passed nor found without motion.
    reached: bool
    #: How each sub-goal that has ended did: "reached" or "passed".
    outcomes: tuple[str, ...]
    plan_ms: float
    #: Share of the candidates that the limits had to correct.
    infeasible_fraction: float
    #: The guardrail that holds the plan back, or "ok".
    guardrail: str
    #: TCP positions (K, H+1, 3) of the elites, best first, in metres.
    paths: Array


class Planner:
    """Plans for one model within one set of limits. Not thread-safe: one caller at a time.

    Raises ConfigError if the model's specification cannot be planned with, BundleError where its bundle lacks what the
    configuration asks for.
    """

    def __init__(self, model: Imagination, limits: Limits, config: PlannerConfig | None = None) -> None:
        self.config = PlannerConfig() if config is None else config
        self._model, self._limits = model, limits
        action = model.spec.action
        self._space = ActionSpace(action.low, action.high, action.gripper_levels)
        if not 0.0 < model.spec.step_period_s < np.inf:
            raise ConfigError(f"the model's step_period_s = {model.spec.step_period_s} must be above 0")
        if model.spec.pose_frame not in ("tcp", "flange"):
            raise ConfigError(f"the model's pose_frame = '{model.spec.pose_frame}' must be 'tcp' or 'flange'")
        # The sum does not depend on the order of a file, to the last bit.
        self._costs = [cost for _, cost in sorted(self.config.costs.items())]
        for name in {name for cost in self._costs for name in cost.terms}:
            model.need_term(name)
        self._optimiser = self.config.optimiser.make()
        self._proposal = None if self.config.proposal is None else self.config.proposal.make(model)
        model.ready(self.config.optimiser.candidates, self.config.horizon)
        self._goals: Goals | None = None
        self._planned_s: float | None = None
        self._before: tuple[Handle, Array] | None = None  # latent and state of the last plan
        self._began: Array | None = None  # the state of the arm when it began to follow plans
        self._moved = False

    def set_goals(self, goals: ArrayLike) -> None:
        """Take the latents (n, T, C) of the sub-goal images, in order, and start over.

        Raises what :meth:`prepare` raises; the planner then goes on with the goals that it had.
        """
        self.take(self.prepare(goals))

    def prepare(self, goals: ArrayLike) -> Goals:
        """Look the latents (n, T, C) of sub-goal images over, while the planner is at work with others.

        Raises GoalError on none, on another shape than the model's, or on numbers that are not finite.
        """
        latents = np.array(goals, dtype=np.float32)
        if latents.shape[1:] != tuple(self._model.latent_shape) or len(latents) == 0:
            raise GoalError(
                f"goal latents have shape {latents.shape} where the model needs one or more of "
                f"{tuple(self._model.latent_shape)}; encode the goal images with the same bundle"
            )
        if not np.all(np.isfinite(latents)):
            raise GoalError("a goal latent holds numbers that are not finite; encode the goal images again")
        handles = tuple(self._model.take(latent) for latent in latents)
        gaps = [self._model.distance(a, b) for a, b in pairwise(handles)]
        if not np.all(np.isfinite(gaps)):
            raise GoalError("the energy between two goal latents is not finite; encode the goal images again")
        return Goals(handles, Subgoals(self.config.subgoals, gaps, self._model.spec.step_period_s))

    def take(self, goals: Goals) -> None:
        """Plan with these goals from now on, from the first one."""
        self._goals = goals
        self.reset()

    def reset(self) -> None:
        """Back to the first sub-goal, without a warm start, with the random numbers of the first plan."""
        self._optimiser.reset()
        if self._proposal is not None:
            self._proposal.reset()
        self._planned_s = self._began = self._before = None
        self._moved = False
        if self._goals is not None:
            self._goals.subgoals.reset()

    def pause(self) -> None:
        """The arm does not follow: until the next plan no time passes for the sub-goals, and no motion counts."""
        self._began = None
        if self._goals is not None:
            self._goals.subgoals.pause()

    def plan(self, latent: ArrayLike, state: ArrayLike, stamp_s: float, running: bool = True) -> PlanResult:
        """Plan from a latent (T, C) and the measured TCP state (7,), both of the frame taken at ``stamp_s``.

        ``running``: whether the arm follows the plans. While it does not, sub-goals neither end nor age.

        Never raises, whatever a camera, an arm, a model or a kind of another package may do, and never returns a plan
        that breaks a guardrail: where no candidate will do, it holds.
        """
        started = time.perf_counter()
        try:
            # Numbers that overflow are refused below, or rank last; a warning about each would tell nobody more.
            with np.errstate(over="ignore", invalid="ignore"):
                z, s = np.asarray(latent, dtype=np.float32), np.array(state, dtype=np.float64)
                s.setflags(write=False)  # costs, gates and proposals may be anybody's, and all checks begin here
                return self._plan(z, s, float(stamp_s), running, started)
        except Exception as error:
            said = str(error) if isinstance(error, (WmError, ValueError)) else f"{type(error).__name__}: {error}"
            return self._hold(f"the planner cannot use its input, its model or a kind: {one_line(said)}", started)

    def _plan(self, latent: NDArray[Any], state: Array, stamp_s: float, running: bool, started: float) -> PlanResult:
        refusal = self._refusal(latent, state, stamp_s)
        if refusal or self._goals is None:
            return self._hold(refusal, started)
        subgoals, now = self._goals.subgoals, self._model.take(latent)
        goal_energy = self._advance(self._goals, now, state, stamp_s, running)
        if not np.isfinite(goal_energy):
            return self._hold("the energy to the goal is not finite; check the model bundle", started)
        if subgoals.done:
            return self._hold("goal reached" if subgoals.reached else NOT_REACHED, started, goal_energy)

        goal, elapsed = self._goals.latents[subgoals.index], self._elapsed_steps(stamp_s)
        proposal, horizon = self._proposal, self.config.horizon
        proposed = None if proposal is None else proposal.propose(now, goal, state, horizon)
        query = Query(now, goal, state, goal_energy, proposed)
        problem = PlanningProblem(self._model, self._space, self._limits, horizon, self._costs, query)
        solution = self._optimiser.optimise(problem, elapsed, proposed)
        before, self._before = self._before if self._steps_since(stamp_s) == 1.0 else None, (now, state)
        self._planned_s = stamp_s
        if solution is not None and solution.actions.shape != (horizon, STATE_DIM):
            raise ValueError(f"the optimiser's plan has the shape {solution.actions.shape}, not {(horizon, STATE_DIM)}")
        if solution is None or self._breaks_a_guardrail(state, solution.actions):
            self._optimiser.reset()
            reason = "no candidate is feasible with a finite energy; check the model bundle and the limits"
            return self._hold(reason, started, goal_energy, problem.infeasible_fraction)
        moment = Moment(self._model, now, goal, state, goal_energy, solution.actions.copy(), before)
        for _, gate in sorted(self.config.gates.items()):
            reason = gate(moment)
            if not isinstance(reason, str):
                raise TypeError(f"the gate '{gate.kind}' answers {reason!r} where it should give a sentence, or ''")
            if reason:
                self._optimiser.reset()  # this plan is not executed
                return self._hold(reason, started, goal_energy, problem.infeasible_fraction)
        return self._result(solution, state, problem, goal_energy, started)

    def _refusal(self, latent: NDArray[Any], state: Array, stamp_s: float) -> str:
        """Why nothing can be planned from this input, or ""."""
        if self._goals is None:
            return "no goal images yet"
        if latent.shape != tuple(self._model.latent_shape):
            return f"the latent has shape {latent.shape}, the model's is {tuple(self._model.latent_shape)}"
        if state.shape != (STATE_DIM,):
            return f"the measured state has shape {state.shape}, not ({STATE_DIM},)"
        for name, value in (("latent", latent), ("measured state", state), ("stamp", np.float64(stamp_s))):
            if not np.all(np.isfinite(value)):
                return f"the {name} holds a number that is not finite"
        return ""

    def _advance(self, goals: Goals, now: Handle, state: Array, stamp_s: float, running: bool) -> float:
        """Move on over every sub-goal that this frame finishes; the energy to the one that is then present."""
        subgoals = goals.subgoals
        if running:
            subgoals.tick(stamp_s)
            self._began = state if self._began is None else self._began
            self._moved = self._moved or _moved(self._began, state)
        else:
            self.pause()
        while True:
            energy = self._model.distance(now, goals.latents[subgoals.index])
            if not running or not np.isfinite(energy) or not subgoals.update(energy, self._moved):
                return energy

    def _elapsed_steps(self, stamp_s: float) -> int:
        """How many steps of the last plan have passed by now; a clock that jumps counts as none or as all."""
        return int(np.clip(self._steps_since(stamp_s), 0, self.config.horizon))

    def _steps_since(self, stamp_s: float) -> float:
        """Steps of the model since the last plan, rounded; infinite before the first."""
        if self._planned_s is None:
            return np.inf
        return float(np.round((stamp_s - self._planned_s) / self._model.spec.step_period_s))

    def _breaks_a_guardrail(self, state: Array, actions: Array) -> bool:
        """The last word, on exactly what would be returned."""
        path = integrate_path(state, actions[None])
        found = guardrails.violations(path, actions[None], self._limits, self._model.spec.step_period_s)
        return not np.all(found == 0.0)

    def _result(
        self, solution: Solution, state: Array, problem: PlanningProblem, goal_energy: float, started: float
    ) -> PlanResult:
        assert self._goals is not None
        subgoals = self._goals.subgoals
        return PlanResult(
            actions=solution.actions.copy(),  # the optimiser may keep its own, to start from
            hold=False,
            reason="",
            energy=solution.cost,
            goal_energy=goal_energy,
            subgoal=subgoals.index,
            subgoals=subgoals.count,
            done=False,
            reached=False,
            outcomes=tuple(subgoals.outcomes),
            plan_ms=_since_ms(started),
            infeasible_fraction=problem.infeasible_fraction,
            guardrail=guardrails.binding(state, solution.actions, self._limits, self._model.spec.step_period_s),
            paths=integrate_path(state, solution.elites)[..., :3],
        )

    def _hold(
        self, reason: str, started: float, goal_energy: float = np.nan, infeasible_fraction: float = 0.0
    ) -> PlanResult:
        subgoals = None if self._goals is None else self._goals.subgoals
        return PlanResult(
            actions=np.zeros((self.config.horizon, STATE_DIM)),
            hold=True,
            reason=reason,
            energy=np.nan,
            goal_energy=goal_energy,
            subgoal=0 if subgoals is None else subgoals.index,
            subgoals=0 if subgoals is None else subgoals.count,
            done=subgoals is not None and subgoals.done,
            reached=subgoals is not None and subgoals.reached,
            outcomes=() if subgoals is None else tuple(subgoals.outcomes),
            plan_ms=_since_ms(started),
            infeasible_fraction=infeasible_fraction,
            guardrail="ok",
            paths=np.empty((0, self.config.horizon + 1, 3)),
        )


def _moved(start: Array, state: Array) -> bool:
    change = difference(start, state)
    turned_rad = float(rotation_angle(euler_to_matrix(change[3:6])))
    return bool(np.linalg.norm(change[:3]) > MOVED_M or turned_rad > MOVED_RAD or abs(change[6]) > MOVED_GRIPPER)


def _since_ms(started: float) -> float:
    return 1e3 * (time.perf_counter() - started)
