"""The world model that ships with this repository: a small convolutional JEPA that trains end to end on a CPU.

In the spirit of LeWorldModel (arXiv 2603.19312): one encoder, one action-conditioned predictor in latent space, no
decoder, no target network. The predictor also takes the measured arm state, and says what the state will be.
torch is needed for training and export only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STATE_DIM = 7
_STATE_FEATURES = 3 + 6 + 1


@dataclass(frozen=True)
class ConvJepaConfig:
    """Sizes. ``image_px`` is height = width of the encoder's input and must be a multiple of 16."""

    image_px: int = 64
    channels: tuple[int, int, int] = (48, 64, 96)
    latent_dim: int = 32
    hidden_dim: int = 384
    blocks: int = 2
    #: The action ``(7,)`` that the predictor sees as 1.0: m, rad, gripper closedness.
    action_scale: tuple[float, ...] = (0.06, 0.06, 0.06, 0.15, 0.15, 0.15, 1.0)
    #: Middle and half width of the workspace in metres, to bring positions to about -1..1.
    centre_m: tuple[float, ...] = (0.47, 0.0, 0.15)
    extent_m: tuple[float, ...] = (0.20, 0.30, 0.15)


def _convolution(inputs: int, outputs: int, size: int, stride: int, padding: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class Encoder(nn.Module):
    """Image ``(B, 3, px, px)``, normalised, to latent ``(B, 1, D)``; the last BatchNorm makes each channel unit-sized.

    The first layer cuts 4x4 patches and keeps all of their 48 numbers: as sharp as a strided stem at full resolution,
    at half the training time on a CPU.
    """

    def __init__(self, config: ConvJepaConfig) -> None:
        super().__init__()
        first, second, third = config.channels
        self.features = nn.Sequential(
            *_convolution(3, first, 4, 4, 0),
            *_convolution(first, second, 3, 2, 1),
            *_convolution(second, second, 3, 1, 1),
            *_convolution(second, third, 3, 2, 1),
        )
        cells = (config.image_px // 16) ** 2
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(third * cells, 256),
            nn.BatchNorm1d(256),
            nn.ReLU(),
            nn.Linear(256, config.latent_dim),
            nn.BatchNorm1d(config.latent_dim, affine=False),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image)).unsqueeze(1)


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(self.norm(x))


class Predictor(nn.Module):
    """(latent ``(B, 1, D)``, state ``(B, 7)``, action ``(B, 7)``) to the next latent and the next state.

    State and action are in SI units as in :mod:`wm_core.pose`; scaling is part of the graph. Predicted angles are the
    measured ones plus a small change, so they may leave (-pi, pi]; here rotation is pinned, and only their sine and
    cosine are used.
    """

    action_scale: Tensor
    centre: Tensor
    extent: Tensor

    def __init__(self, config: ConvJepaConfig) -> None:
        super().__init__()
        self.register_buffer("action_scale", torch.tensor(config.action_scale))
        self.register_buffer("centre", torch.tensor(config.centre_m))
        self.register_buffer("extent", torch.tensor(config.extent_m))
        self.enter = nn.Linear(config.latent_dim + _STATE_FEATURES + STATE_DIM, config.hidden_dim)
        self.blocks = nn.Sequential(*[Residual(config.hidden_dim) for _ in range(config.blocks)])
        self.leave = nn.Linear(config.hidden_dim, config.latent_dim + STATE_DIM)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.latent_dim = config.latent_dim

    def forward(self, latent: Tensor, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        angles = state[:, 3:6]
        scaled_action = action / self.action_scale
        # Sine and cosine: a gripper that points down sits on the +-pi seam of roll.
        features = torch.cat(
            [
                latent[:, 0],
                (state[:, :3] - self.centre) / self.extent,
                torch.sin(angles),
                torch.cos(angles),
                state[:, 6:7],
                scaled_action,
            ],
            dim=1,
        )
        out = self.leave(torch.nn.functional.silu(self.blocks(self.enter(features))))
        next_latent = latent + out[:, None, : self.latent_dim]
        # The state's change is predicted as a correction of the action itself, in units of the action's scale.
        moved = scaled_action[:, :6] + out[:, self.latent_dim : self.latent_dim + 6]
        next_pose = state[:, :6] + moved * self.action_scale[:6]
        next_gripper = torch.clamp(state[:, 6:7] + out[:, self.latent_dim + 6 :], 0.0, 1.0)
        return next_latent, torch.cat([next_pose, next_gripper], dim=1)


class InverseDynamics(nn.Module):
    """Two latents ``(B, 1, D)`` to the action between them ``(B, 7)``, in units of the action's scale.

    Used in training only: without it the latent keeps only what is constant in an episode.
    """

    def __init__(self, config: ConvJepaConfig) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3 * config.latent_dim, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, STATE_DIM)
        )

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        a, b = before[:, 0], after[:, 0]
        return self.net(torch.cat([a, b, b - a], dim=1))


class Proposal(nn.Module):
    """A goal-conditioned inverse model: where to begin the search for actions from a latent towards a goal latent.

    (latent ``(B, 1, D)``, goal ``(B, 1, D)``, state ``(B, 7)``) to actions ``(B, H, 7)`` and the logarithm of their
    standard deviation, in SI units. The gripper's change is one of its levels, chosen by odds, for an average of "open"
    and "close" asks for neither. After GC-IDM (arXiv 2605.08732).
    """

    levels: Tensor
    action_scale: Tensor
    centre: Tensor
    extent: Tensor

    def __init__(self, config: ConvJepaConfig, horizon: int = 2, width: int = 384) -> None:
        super().__init__()
        self.horizon = horizon
        self.register_buffer("levels", torch.tensor([-1.0, 0.0, 1.0]))
        self.register_buffer("action_scale", torch.tensor(config.action_scale))
        self.register_buffer("centre", torch.tensor(config.centre_m))
        self.register_buffer("extent", torch.tensor(config.extent_m))
        self.body = nn.Sequential(
            nn.Linear(3 * config.latent_dim + 4, width),
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
        hidden = self.body(torch.cat([z, g, g - z, place, state[:, 6:7]], dim=1))
        mean, log_std = self.motion(hidden).view(-1, self.horizon, 2, 3).unbind(2)
        return mean, torch.clamp(log_std, -4.0, 0.0), self.gripper(hidden).view(-1, self.horizon, 3)

    def forward(self, latent: Tensor, goal: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std, logits = self.heads(latent, goal, state)
        likeliest = torch.nn.functional.one_hot(logits.argmax(-1), 3).to(mean.dtype)
        gripper = (likeliest * self.levels).sum(-1, keepdim=True)
        pinned = torch.zeros_like(mean)
        action = torch.cat([mean * self.action_scale[:3], pinned, gripper], dim=-1)
        log_std = log_std + torch.log(self.action_scale[:3])
        spread = torch.cat([log_std, pinned - 9.0, torch.zeros_like(gripper)], dim=-1)
        return action, spread


class ConvJepa(nn.Module):
    """Encoder and predictor, and the training-only inverse dynamics."""

    def __init__(self, config: ConvJepaConfig | None = None) -> None:
        super().__init__()
        self.config = ConvJepaConfig() if config is None else config
        self.encoder = Encoder(self.config)
        self.predictor = Predictor(self.config)
        self.inverse = InverseDynamics(self.config)
