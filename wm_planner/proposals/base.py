"""The one shape of every proposal: a cheap guess where the optimiser should begin to look."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.kinds import Kinds
from wm_models.imagination import Handle, Imagination, Proposed

PROPOSALS: Kinds[type[ProposalConfig]] = Kinds("proposal", "wm_planner.proposals")


class Proposal(ABC):
    """A guess is only ever a candidate: it is projected, checked and scored like any other."""

    @abstractmethod
    def propose(self, now: Handle, goal: Handle, state: NDArray[np.float64], horizon: int) -> Proposed:
        """A start for a search of ``horizon`` steps, from two latents and the measured TCP state (7,)."""

    def reset(self) -> None:  # noqa: B027  (most have nothing to forget)
        """Forget what was proposed before."""


@dataclass(frozen=True)
class ProposalConfig(ABC):
    """Which proposal there is, and its settings."""

    KINDS: ClassVar[Kinds[type[ProposalConfig]]] = PROPOSALS

    kind: str = "bundle"

    @abstractmethod
    def make(self, model: Imagination) -> Proposal:
        """The proposal for a model. Raises WmError where the model has not what it needs."""
