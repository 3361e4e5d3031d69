"""Rolled-out prediction: the later latents from the first one alone, through the predictor's own predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Loss, Window

if TYPE_CHECKING:
    from torch import Tensor

    from ..recipes.base import Recipe


@dataclass(frozen=True)
class Rollout(Loss):
    """Mean squared error in latent space from the second step on; the first one is the teacher-forced one."""

    kind: str = "rollout"

    def make(self, model: Recipe) -> Callable[[Window], Tensor]:
        """See :class:`Loss`."""
        return lambda window: (window.said.rolled[:, 1:] - window.latents[:, 2:]).square().mean()


KIND = Rollout
