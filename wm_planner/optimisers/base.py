"""The one shape of every optimiser: it draws candidates, a problem makes them feasible and scores them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from wm_core.kinds import Kinds
from wm_models.imagination import Proposed

from ..action_space import ActionSpace

Array = NDArray[np.float64]

OPTIMISERS: Kinds[type[OptimiserConfig]] = Kinds("optimiser", "wm_planner.optimisers")


class Problem(Protocol):
    """One planning query."""

    @property
    def space(self) -> ActionSpace: ...

    @property
    def horizon(self) -> int:
        """Steps of a candidate."""
        ...

    @property
    def scale(self) -> Array:
        """The largest useful action (7,) per dimension; 0 where a dimension is pinned."""
        ...

    def project(self, actions: Array) -> Array:
        """The feasible candidates (N, H, 7) nearest to the drawn ones."""
        ...

    def score(self, actions: Array) -> Array:
        """Costs (N,) of candidates (N, H, 7): finite, or +inf for those that may never be chosen."""
        ...


@dataclass(frozen=True)
class Solution:
    """The best plan (H, 7) found, its cost, and the elites (K, H, 7), best first, with their costs (K,)."""

    actions: Array
    cost: float
    elites: Array
    elite_costs: Array


class Optimiser(ABC):
    """Keeps its last solution, from which the next search starts, and its own random numbers."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the last solution and restart the random numbers, so that equal queries give equal answers."""

    @abstractmethod
    def optimise(self, problem: Problem, elapsed_steps: int = 1, proposed: Proposed | None = None) -> Solution | None:
        """The best plan for ``problem``, or None if not one candidate had a finite cost.

        ``elapsed_steps`` of the last solution have been executed since; the rest of it is the warm start.
        """


@dataclass(frozen=True)
class OptimiserConfig(ABC):
    """Which optimiser there is, and its settings."""

    KINDS: ClassVar[Kinds[type[OptimiserConfig]]] = OPTIMISERS

    kind: str = "cem"

    @property
    @abstractmethod
    def candidates(self) -> int:
        """How many candidates are scored at a time, so that a model can get ready for them."""

    @abstractmethod
    def make(self) -> Optimiser:
        """The optimiser."""
