"""The one shape of every architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """``config``: the frozen dataclass of its sizes. ``parts``: for each part what builds it from such sizes.

    Sizes know their ``image_px``, height = width of the encoder's input, and their ``latent_shape`` (tokens, channels);
    those of a predictor that looks back on several frames have ``history``, how many. A part is a module with the
    inputs and outputs that :mod:`wm_models.parts` declares, in SI units and the conventions of :mod:`wm_core.pose`.
    Weights may be float32, float16 or bfloat16; inputs and outputs are float32 in any case.
    """

    config: type[Any]
    parts: Mapping[str, Callable[[Any], nn.Module]]
