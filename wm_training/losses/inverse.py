"""Inverse dynamics: which action lies between two latents? Without it a latent keeps only what is constant."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..recipes.base import MOVED, Recipe
from .base import Loss, Window


@dataclass(frozen=True)
class Inverse(Loss):
    """Mean squared error of the action in the dimensions that the data moves, in units of the action's scale."""

    kind: str = "inverse"

    def make(self, model: Recipe) -> InverseDynamics:
        """See :class:`Loss`."""
        return InverseDynamics(model.latent_dim, model.scale)


class InverseDynamics(nn.Module):
    """A network from the latents before and after each step to its action, and how far that is from the true one."""

    scale: Tensor

    def __init__(self, latent_dim: int, scale: Tensor) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3 * latent_dim, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 7)
        )
        self.register_buffer("scale", scale, persistent=False)

    def forward(self, window: Window) -> Tensor:
        before, after = _flat(window.latents[:, :-1])[:, 0], _flat(window.latents[:, 1:])[:, 0]
        found = self.net(torch.cat([before, after, after - before], dim=1))
        return (found - _flat(window.actions) / self.scale).square()[:, MOVED].mean()


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1, *x.shape[2:])


KIND = Inverse
