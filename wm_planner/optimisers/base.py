"""The one shape of every optimiser: it draws candidates, a problem makes them feasible and scores them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wm_core.pose import STATE_DIM

from ..action_space import ActionSpace

Array = NDArray[np.float64]


class Problem(Protocol):
    """One planning query."""

    @property
    def space(self) -> ActionSpace: ...

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
class Proposed:
    """A start for the search: candidates (K, H, 7), or a mean and standard deviation (H, 7), or any of them.

    H may differ from the optimiser's horizon: what is too long is cut, what is too short is followed by standing still.
    Raises ValueError on another shape or on a number that is not finite.
    """

    candidates: Array | None = None
    mean: Array | None = None
    std: Array | None = None

    def __post_init__(self) -> None:
        for name, rank in (("candidates", 3), ("mean", 2), ("std", 2)):
            value = getattr(self, name)
            if value is not None and (value.ndim != rank or value.shape[-1] != STATE_DIM):
                raise ValueError(f"the proposal's {name} have the shape {value.shape}, not (..., H, {STATE_DIM})")
            if value is not None and not np.all(np.isfinite(value)):
                raise ValueError(f"the proposal's {name} hold a number that is not finite")


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
