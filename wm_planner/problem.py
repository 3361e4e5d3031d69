"""One planning query: make candidates feasible, imagine them, price them, and rule out what breaks a guardrail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import Limits

from . import guardrails
from .action_space import ActionSpace
from .costs import Cost
from .dynamics import Dynamics
from .guardrails.base import ROUNDING
from .guardrails.projection import make_feasible
from .guardrails.step import max_step_m, max_turn_rad
from .path import flange_actions, flange_state, integrate_path

Array = NDArray[np.float64]


class PlanningProblem:
    """Candidates for getting from ``latent`` (T, C) and the measured TCP ``state`` (7,) to where ``costs`` are low."""

    def __init__(
        self,
        model: Dynamics,
        space: ActionSpace,
        limits: Limits,
        latent: NDArray[Any],
        state: Array,
        costs: Sequence[Cost],
    ) -> None:
        self.space = space
        self._model, self._limits, self._latent, self._state, self._costs = model, limits, latent, state, costs
        self._step_period_s = model.spec.step_period_s
        self._flange = model.spec.pose_frame == "flange"
        self._model_state = flange_state(state) if self._flange else state
        self._corrected, self._drawn = 0, 0

    @property
    def scale(self) -> Array:
        """The largest action (7,) that both the model's range and the limits allow; 0 where a dimension is pinned."""
        far, turn = max_step_m(self._limits, self._step_period_s), max_turn_rad(self._limits, self._step_period_s)
        half_range = (self.space.high - self.space.low) / 2
        return np.minimum(half_range, np.array([far, far, far, turn, turn, turn, 1.0]))

    @property
    def infeasible_fraction(self) -> float:
        """Share of the candidates drawn so far that the limits had to correct."""
        return self._corrected / max(self._drawn, 1)

    def project(self, actions: Array) -> Array:
        """The feasible candidates (N, H, 7) nearest to the drawn ones."""
        wanted = self.space.conform(actions)
        feasible = make_feasible(self._state, wanted, self._limits, self._step_period_s)
        corrected = (np.abs(feasible - wanted) > ROUNDING).any(axis=(1, 2))
        self._corrected += int(np.count_nonzero(corrected))
        self._drawn += len(actions)
        return feasible

    def score(self, actions: Array) -> Array:
        """Costs (N,) of candidates (N, H, 7); +inf where a guardrail is broken or the cost is not a finite number."""
        states = integrate_path(self._state, actions)
        broken = guardrails.violations(states, actions, self._limits, self._step_period_s).max(axis=0) > 0.0
        latents = self._imagine(states, actions)
        costs = sum((cost(latents, actions) for cost in self._costs), start=np.zeros(len(actions)))
        return np.where(broken | ~np.isfinite(costs), np.inf, costs)

    def _imagine(self, states: Array, actions: Array) -> NDArray[Any]:
        moves = flange_actions(states, actions) if self._flange else actions
        # Copies: what a model does to its inputs must not reach the candidates that were checked.
        latents, _ = self._model.rollout(
            self._latent, np.array(self._model_state, np.float32), np.array(moves, np.float32)
        )
        wanted = (*actions.shape[:2], *self._latent.shape)
        if latents.shape != wanted:
            raise ValueError(f"the model's rollout has shape {latents.shape}, not {wanted}")
        return latents
