"""The arm's state that the predictor predicts beside the latent, against the measured one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Loss, Window

if TYPE_CHECKING:
    from torch import Tensor

    from ..recipes.base import Recipe


@dataclass(frozen=True)
class State(Loss):
    """The error that the recipe measures; 0 for a model that predicts no state."""

    kind: str = "state"

    def make(self, model: Recipe) -> Callable[[Window], Tensor]:
        """See :class:`Loss`."""
        return lambda window: window.said.state


KIND = State
