"""How each architecture is trained: its modules, and what it predicts of a window of frames. One file each."""

from __future__ import annotations

import dataclasses
import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wm_core import config
from wm_core.errors import WmError
from wm_core.names import unknown
from wm_models import architectures
from wm_models.architectures.proposal import Scaling

#: Dimensions of the action that the data moves; its rotation is pinned.
MOVED = (0, 1, 2, 6)
#: Architecture -> module with its ``Recipe``.
RECIPES = {"conv_jepa": "wm_training.recipes.conv_jepa", "lewm": "wm_training.recipes.lewm"}


@dataclass(frozen=True)
class Prediction:
    """What a model says of a window of K steps, as latents (N, K, 1, D): ``forced`` from the true latents up to each
    step, ``rolled`` from the first one alone; ``state`` is the error of the predicted arm states, 0 without any."""

    forced: Tensor
    rolled: Tensor
    state: Tensor


class InverseDynamics(nn.Module):
    """Two latents ``(B, 1, D)`` to the action between them ``(B, 7)``, in units of the action's scale.

    Used in training only: without it the latent keeps only what is constant in an episode.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3 * latent_dim, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 7)
        )

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        a, b = before[:, 0], after[:, 0]
        return self.net(torch.cat([a, b, b - a], dim=1))


class Recipe(nn.Module, ABC):
    """An architecture's encoder and predictor, and the training-only inverse dynamics.

    Args:
        sizes: the architecture's ``Config``.
    """

    #: Name in :mod:`wm_models.architectures`.
    architecture: ClassVar[str]
    #: Settings of :class:`wm_training.train.TrainConfig` that suit this architecture on a CPU.
    settings: ClassVar[dict[str, Any]] = {}
    #: The architecture's ``Config`` at a size that a CPU trains; None: its defaults.
    small: ClassVar[Any] = None

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        module = architectures.module_of(self.architecture)
        self.sizes = sizes
        self.encoder, self.predictor = module.encoder(sizes), module.predictor(sizes)
        self.inverse = InverseDynamics(self.latent_dim)
        self.register_buffer("scale", torch.tensor(Scaling().action), persistent=False)

    scale: Tensor

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Channels of a latent, which is one token."""

    @property
    @abstractmethod
    def image_px(self) -> int:
        """Height = width of the encoder's input."""

    @abstractmethod
    def predict(self, latents: Tensor, states: Tensor, actions: Tensor) -> Prediction:
        """Latents (N, K+1, 1, D), states (N, K+1, 7), actions (N, K, 7) to what the predictor makes of them."""


def recipe(architecture: str) -> type[Recipe]:
    """The recipe of an architecture. Raises WmError if there is none."""
    if architecture not in RECIPES:
        raise WmError(unknown("recipe for the architecture", architecture, RECIPES))
    return importlib.import_module(RECIPES[architecture]).Recipe


def build(architecture: str, sizes: dict[str, Any] | None = None) -> Recipe:
    """A fresh model, of the mapping that :func:`sizes_of` gives, or by default of the size that is trained here.

    Raises ConfigError on sizes that are not the architecture's own.
    """
    kind, settings = recipe(architecture), architectures.module_of(architecture).Config
    if sizes is None and kind.small is not None:
        return kind(kind.small)
    return kind(config.from_dict(settings, {} if sizes is None else sizes, f"the sizes of {architecture}"))


def sizes_of(model: Recipe) -> dict[str, Any]:
    """The model's ``Config`` as a mapping."""
    return dataclasses.asdict(model.sizes)
