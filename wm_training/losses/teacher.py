"""Teacher-forced prediction: the next latent from the true ones before it.

Targets are not detached: SIGReg alone keeps the latent from collapsing, as in LeWorldModel (arXiv 2603.19312).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Loss, Window

if TYPE_CHECKING:
    from torch import Tensor

    from ..recipes.base import Recipe


@dataclass(frozen=True)
class Teacher(Loss):
    """Mean squared error in latent space."""

    kind: str = "teacher"

    def make(self, model: Recipe) -> Callable[[Window], Tensor]:
        """See :class:`Loss`."""
        return lambda window: (window.said.forced - window.latents[:, 1:]).square().mean()


KIND = Teacher
