"""The world model that ships with this repository: a small convolutional JEPA that trains end to end on a CPU.

In the spirit of LeWorldModel (arXiv 2603.19312): one encoder, one action-conditioned predictor in latent space, no
decoder, no target network. The predictor also takes the measured arm state, and says what the state will be.
torch is needed for training and export only. Weights may be of less precision; inputs and outputs are float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..layers.proposal import Proposal, Residual, Scaling
from .base import Architecture

STATE_DIM = 7
_STATE_FEATURES = 3 + 6 + 1


@dataclass(frozen=True)
class Config:
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

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(tokens, channels) of a latent."""
        return 1, self.latent_dim


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

    def __init__(self, config: Config) -> None:
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
        dtype = next(self.parameters()).dtype
        return self.head(self.features(image.to(dtype))).float().unsqueeze(1)


class Predictor(nn.Module):
    """(latent ``(B, 1, D)``, state ``(B, 7)``, action ``(B, 7)``) to the next latent and the next state.

    State and action are in SI units as in :mod:`wm_core.pose`; scaling is part of the graph. Predicted angles are the
    measured ones plus a small change, so they may leave (-pi, pi]; here rotation is pinned, and only their sine and
    cosine are used.
    """

    action_scale: Tensor
    centre: Tensor
    extent: Tensor

    def __init__(self, config: Config) -> None:
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
        hidden = self.blocks(self.enter(features.to(self.enter.weight.dtype)))
        out = self.leave(torch.nn.functional.silu(hidden)).float()
        next_latent = latent + out[:, None, : self.latent_dim]
        # The state's change is predicted as a correction of the action itself, in units of the action's scale.
        moved = scaled_action[:, :6] + out[:, self.latent_dim : self.latent_dim + 6]
        next_pose = state[:, :6] + moved * self.action_scale[:6]
        next_gripper = torch.clamp(state[:, 6:7] + out[:, self.latent_dim + 6 :], 0.0, 1.0)
        return next_latent, torch.cat([next_pose, next_gripper], dim=1)


def proposal(config: Config) -> Proposal:
    """A fresh proposal for this model's latents."""
    return Proposal(config.latent_dim, Scaling(config.action_scale, config.centre_m, config.extent_m))


KIND = Architecture(Config, {"encoder": Encoder, "predictor": Predictor, "proposal": proposal})
