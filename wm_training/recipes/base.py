"""The one shape of every recipe."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wm_core import config
from wm_models.architectures import ARCHITECTURES
from wm_models.layers.proposal import Scaling

from . import RECIPES

#: Dimensions of the action that the data moves; its rotation is pinned.
MOVED = (0, 1, 2, 6)


@dataclass(frozen=True)
class Prediction:
    """What a model says of a window of K steps, as latents (N, K, 1, D): ``forced`` from the true latents up to each
    step, ``rolled`` from the first one alone; ``state`` is the error of the predicted arm states, 0 without any."""

    forced: Tensor
    rolled: Tensor
    state: Tensor


class Recipe(nn.Module, ABC):
    """An architecture's encoder and predictor, and how they are trained.

    Args:
        sizes: the architecture's ``config``.
    """

    #: Name in :mod:`wm_models.architectures`.
    architecture: ClassVar[str]
    #: Settings of :class:`wm_training.train.TrainConfig`, its losses included, that suit this model on a CPU.
    settings: ClassVar[dict[str, Any]] = {}
    #: The architecture's ``config`` at a size that a CPU trains; None: its defaults.
    small: ClassVar[Any] = None

    def __init__(self, sizes: Any) -> None:
        super().__init__()
        parts = ARCHITECTURES.load(self.architecture).parts
        self.sizes = sizes
        self.encoder: Any = parts["encoder"](sizes)
        self.predictor: Any = parts["predictor"](sizes)
        self.register_buffer("scale", torch.tensor(Scaling().action), persistent=False)

    #: The action (7,) that counts as 1.0: m, rad, gripper closedness.
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


def build(recipe: str, sizes: dict[str, Any] | None = None) -> Recipe:
    """A fresh model, of the mapping that :func:`sizes_of` gives, or by default of the size that is trained here.

    Raises WmError if there is no such recipe, ConfigError on sizes that are not its architecture's own.
    """
    kind = RECIPES.load(recipe)
    if sizes is None and kind.small is not None:
        return kind(kind.small)
    settings = ARCHITECTURES.load(kind.architecture).config
    return kind(config.from_dict(settings, {} if sizes is None else sizes, f"the sizes of {kind.architecture}"))


def sizes_of(model: Recipe) -> dict[str, Any]:
    """The model's sizes as a mapping."""
    return dataclasses.asdict(model.sizes)
