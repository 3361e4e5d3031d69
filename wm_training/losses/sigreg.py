"""SIGReg: what keeps the latent from collapsing, in that it looks like a standard normal from every direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wm_core.errors import ConfigError

from ..recipes.base import Recipe
from .base import Loss, Window

_KNOTS = 17
_LAST_KNOT = 3.0


@dataclass(frozen=True)
class SigReg(Loss):
    """Of all latents of a batch together, along ``projections`` random directions, drawn anew for every batch."""

    kind: str = "sigreg"
    weight: float = 0.05
    projections: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projections < 1:
            raise ConfigError(f"projections = {self.projections} must be at least 1")

    def make(self, model: Recipe) -> Callable[[Window], Tensor]:
        """See :class:`Loss`."""

        def value(window: Window) -> Tensor:
            samples = window.latents.reshape(-1, window.latents.shape[-1])
            return sigreg(samples, torch.randn(samples.shape[-1], self.projections))

        return value


def sigreg(latents: Tensor, directions: Tensor) -> Tensor:
    """SIGReg (LeJEPA, arXiv 2511.08544): how far random 1-D projections of the latents are from a standard normal.

    The Epps-Pulley statistic, the Gaussian-weighted distance between the empirical characteristic function and that of
    N(0, 1), with trapezoid quadrature on 17 knots over [0, 3], averaged over projections and times the sample count.

    Args:
        latents: ``(..., S, D)``, S samples; leading dimensions (time steps, say) are tested apart and averaged.
        directions: ``(D, P)``, drawn anew for every call from a standard normal; normalised here.
    Returns:
        a scalar.
    """
    samples = latents.shape[-2]
    directions = directions / directions.norm(dim=0, keepdim=True)
    knots = torch.linspace(0.0, _LAST_KNOT, _KNOTS, dtype=latents.dtype)
    step = _LAST_KNOT / (_KNOTS - 1)
    # Both the function and the weight are even: integrate the half axis with weight 2.
    quadrature = torch.full((_KNOTS,), 2 * step, dtype=latents.dtype)
    quadrature[[0, -1]] = step
    gaussian = torch.exp(-0.5 * knots.square())
    angles = (latents @ directions).unsqueeze(-1) * knots  # (..., S, P, K)
    error = (angles.cos().mean(-3) - gaussian).square() + angles.sin().mean(-3).square()
    return ((error * (gaussian * quadrature)).sum(-1) * samples).mean()


KIND = SigReg
