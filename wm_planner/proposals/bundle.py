"""The learned proposal of the model's bundle: a goal-conditioned inverse model as the start of the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_models.imagination import Handle, Imagination, Proposed

from .base import Proposal, ProposalConfig


@dataclass(frozen=True)
class BundleProposal(ProposalConfig):
    """``repeat``: fill the horizon by asking again where the first steps lead; else standing still follows them."""

    kind: str = "bundle"
    repeat: bool = False

    def make(self, model: Imagination) -> Proposal:
        """See :class:`ProposalConfig`. Raises BundleError where the bundle has no proposal."""
        model.need_proposal()
        return _Learned(model, self.repeat)


class _Learned(Proposal):
    def __init__(self, model: Imagination, repeat: bool) -> None:
        self._model, self._repeat = model, repeat

    def propose(self, now: Handle, goal: Handle, state: NDArray[np.float64], horizon: int) -> Proposed:
        return self._model.propose(now, goal, state, horizon if self._repeat else 1)


KIND = BundleProposal
