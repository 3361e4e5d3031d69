"""One planning query: make candidates feasible, price what they lead to, and rule out what breaks a guardrail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import Limits
from wm_core.path import integrate_path
from wm_models.imagination import Imagination

from . import guardrails
from .action_space import ActionSpace
from .costs import Candidates, Cost, Query
from .guardrails.base import ROUNDING
from .guardrails.projection import make_feasible
from .guardrails.step import max_step_m, max_turn_rad

Array = NDArray[np.float64]


class PlanningProblem:
    """Candidates of ``horizon`` steps for a query, cheap where the ``costs`` are low."""

    def __init__(
        self,
        model: Imagination,
        space: ActionSpace,
        limits: Limits,
        horizon: int,
        costs: Sequence[Cost],
        query: Query,
    ) -> None:
        self.space, self.horizon = space, horizon
        self._model, self._limits, self._costs, self._query = model, limits, costs, query
        self._terms = tuple(dict.fromkeys(name for cost in costs for name in cost.terms))
        self._step_period_s = model.spec.step_period_s
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
        feasible = make_feasible(self._query.state, wanted, self._limits, self._step_period_s)
        corrected = (np.abs(feasible - wanted) > ROUNDING).any(axis=(1, 2))
        self._corrected += int(np.count_nonzero(corrected))
        self._drawn += len(actions)
        return feasible

    def score(self, actions: Array) -> Array:
        """Costs (N,) of candidates (N, H, 7); +inf where a guardrail is broken or the cost is not a finite number."""
        query = self._query
        states = integrate_path(query.state, actions)
        broken = guardrails.violations(states, actions, self._limits, self._step_period_s).max(axis=0) > 0.0
        # What is no number breaks a guardrail already, and is not for the model.
        numbers = np.where(np.isfinite(actions), actions, 0.0)
        terms = self._model.price(query.now, query.state, numbers, query.goal, self._terms)
        # Copies, for a cost may be anybody's: what it does to them must not reach what is checked.
        given = actions.copy(order="K"), states.copy(order="K"), terms
        candidates = Candidates(*given, query, self.space, self._limits)
        costs = sum((cost(candidates) for cost in self._costs), start=np.zeros(len(actions)))
        return np.where(broken | ~np.isfinite(costs), np.inf, costs)
