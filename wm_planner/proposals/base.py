"""The one shape of every proposal: a cheap guess where the optimiser should begin to look."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..optimisers.base import Proposed


class Proposal(Protocol):
    """A guess is only ever a candidate: it is projected, checked and scored like any other."""

    def propose(self, latent: NDArray[Any], goal: NDArray[Any], state: NDArray[np.float64]) -> Proposed:
        """A start for the search from a latent and a goal (T, C) and the measured TCP state (7,)."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A proposal that looks back on what it proposed before."""

    def reset(self) -> None:
        """Forget that."""
        ...
