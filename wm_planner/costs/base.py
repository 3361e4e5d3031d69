"""The one shape of every cost, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import ConfigError
from wm_core.kinds import Kinds
from wm_core.limits import Limits
from wm_models.imagination import Handle, Proposed

from ..action_space import ActionSpace

Array = NDArray[np.float64]

COSTS: Kinds[type[Cost]] = Kinds("cost", "wm_planner.costs")


@dataclass(frozen=True)
class Query:
    """What one plan is asked: to get from ``now`` and the measured TCP ``state`` (7,) to ``goal``.

    ``goal_energy`` is the model's energy between the two latents; ``proposed`` is where the search begins.
    """

    now: Handle
    goal: Handle
    state: Array
    goal_energy: float
    proposed: Proposed | None = None


@dataclass(frozen=True)
class Candidates:
    """Feasible candidates of one query.

    ``actions`` (N, H, 7); the TCP's ``states`` (N, H+1, 7) that they command, entry 0 the measured one; ``terms``: what
    the model says of each step (N, H), by name; see :meth:`wm_models.imagination.Imagination.price`.
    """

    actions: Array
    states: Array
    terms: Mapping[str, Array]
    query: Query
    space: ActionSpace
    limits: Limits


@dataclass(frozen=True)
class Cost(ABC):
    """A cost is its own configuration. Called with candidates it gives their costs (N,); lower is better."""

    KINDS: ClassVar[Kinds[type[Cost]]] = COSTS
    #: Whether it says nothing where there is no proposal.
    needs_proposal: ClassVar[bool] = False

    kind: str

    @property
    def terms(self) -> tuple[str, ...]:
        """What it needs of the model."""
        return ()

    @abstractmethod
    def __call__(self, candidates: Candidates) -> Array:
        """Costs (N,), float64; one that is not finite means that the candidate is never chosen.

        What ``candidates`` holds may be looked at, not written to.
        """


def check_weight(name: str, weight: float) -> None:
    """Raises ConfigError unless a weight is a finite number, at least 0."""
    if not 0.0 <= weight < np.inf:
        raise ConfigError(f"{name} = {weight} must be a finite number, at least 0")
