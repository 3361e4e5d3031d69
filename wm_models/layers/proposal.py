"""A goal-conditioned inverse model, where to begin the search, on the latents of any architecture that have one token.

After GC-IDM (arXiv 2605.08732).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Scaling:
    """What brings SI units to about -1..1."""

    #: The action ``(7,)`` that counts as 1.0: m, rad, gripper closedness.
    action: tuple[float, ...] = (0.06, 0.06, 0.06, 0.15, 0.15, 0.15, 1.0)
    #: Middle and half width of the workspace in metres.
    centre_m: tuple[float, ...] = (0.47, 0.0, 0.15)
    extent_m: tuple[float, ...] = (0.20, 0.30, 0.15)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(self.norm(x))


class Proposal(nn.Module):
    """(latent ``(B, 1, D)``, goal ``(B, 1, D)``, state ``(B, 7)``) to actions ``(B, H, 7)`` and the logarithm of their
    standard deviation, in SI units. The gripper's change is one of its levels, chosen by odds, for an average of "open"
    and "close" asks for neither.
    """

    levels: Tensor
    action_scale: Tensor
    centre: Tensor
    extent: Tensor

    def __init__(self, latent_dim: int, scaling: Scaling | None = None, horizon: int = 2, width: int = 384) -> None:
        super().__init__()
        scaling = Scaling() if scaling is None else scaling
        self.horizon = horizon
        self.register_buffer("levels", torch.tensor([-1.0, 0.0, 1.0]))
        self.register_buffer("action_scale", torch.tensor(scaling.action))
        self.register_buffer("centre", torch.tensor(scaling.centre_m))
        self.register_buffer("extent", torch.tensor(scaling.extent_m))
        self.body = nn.Sequential(
            nn.Linear(3 * latent_dim + 4, width),
            nn.SiLU(),
            Residual(width),
            Residual(width),
            nn.LayerNorm(width),
        )
        self.motion = nn.Linear(width, horizon * 2 * 3)
        self.gripper = nn.Linear(width, horizon * 3)

    def heads(self, latent: Tensor, goal: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log standard deviation ``(B, H, 3)`` of the motion in scaled units, gripper logits ``(B, H, 3)``."""
        z, g = latent[:, 0], goal[:, 0]
        place = (state[:, :3] - self.centre) / self.extent
        seen = torch.cat([z, g, g - z, place, state[:, 6:7]], dim=1)
        hidden = self.body(seen.to(self.motion.weight.dtype))
        mean, log_std = self.motion(hidden).float().view(-1, self.horizon, 2, 3).unbind(2)
        return mean, torch.clamp(log_std, -4.0, 0.0), self.gripper(hidden).float().view(-1, self.horizon, 3)

    def forward(self, latent: Tensor, goal: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std, logits = self.heads(latent, goal, state)
        likeliest = torch.nn.functional.one_hot(logits.argmax(-1), 3).to(mean.dtype)
        gripper = (likeliest * self.levels).sum(-1, keepdim=True)
        pinned = torch.zeros_like(mean)
        action = torch.cat([mean * self.action_scale[:3], pinned, gripper], dim=-1)
        log_std = log_std + torch.log(self.action_scale[:3])
        spread = torch.cat([log_std, pinned - 9.0, torch.zeros_like(gripper)], dim=-1)
        return action, spread
