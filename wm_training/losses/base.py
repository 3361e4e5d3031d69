"""The one shape of every loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from wm_core.errors import ConfigError
from wm_core.kinds import Kinds

if TYPE_CHECKING:
    from torch import Tensor

    from ..recipes.base import Prediction, Recipe

LOSSES: Kinds[Callable[..., Loss]] = Kinds("loss", "wm_training.losses")


@dataclass(frozen=True)
class Window:
    """What a loss sees: N windows of K steps.

    ``latents`` (N, K+1, 1, D) of the encoder, with gradients; measured ``states`` (N, K+1, 7) and ``actions`` (N, K, 7)
    in SI units, see :mod:`wm_core.pose`; ``said``: what the predictor makes of them.
    """

    latents: Tensor
    states: Tensor
    actions: Tensor
    said: Prediction


@dataclass(frozen=True)
class Loss(ABC):
    """One term of the objective, which is their sum, each times its ``weight``."""

    KINDS: ClassVar[Kinds[Callable[..., Loss]]] = LOSSES
    kind: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight < math.inf:
            raise ConfigError(f"weight = {self.weight} must be a finite number, at least 0")

    @abstractmethod
    def make(self, model: Recipe) -> Callable[[Window], Tensor]:
        """What gives the term's value, a scalar, for the model's windows.

        If it is a module, its parameters are trained with the model's, and left behind when the model is exported.
        """
