"""Model architectures, one per file: sizes, and what builds the parts of a model from them. torch only in there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wm_core import config
from wm_core.errors import BundleError
from wm_core.kinds import Kinds

from ..bundle import Bundle
from .base import Architecture

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURES", "Architecture", "build", "load"]

ARCHITECTURES: Kinds[Architecture] = Kinds("architecture", "wm_models.architectures", error=BundleError)


def build(name: str, part: str, settings: Mapping[str, Any]) -> nn.Module:
    """A part ("encoder", "predictor", "proposal") with fresh weights, in evaluation mode.

    Raises BundleError on an unknown architecture or part, ConfigError on settings that are not its sizes.
    """
    architecture = ARCHITECTURES.load(name)
    if part not in architecture.parts:
        raise BundleError(f"the architecture '{name}' has no {part}")
    sizes = config.from_dict(architecture.config, dict(settings), f"the model of a {name} bundle")
    return architecture.parts[part](sizes).eval()


def load(bundle: Bundle, part: str) -> nn.Module:
    """A part of a bundle with the weights of ``<part>.safetensors``, on the CPU in float32, in evaluation mode.

    Raises BundleError where the bundle has no such weights, or they are not those of its architecture.
    """
    module = build(bundle.spec.architecture, part, bundle.spec.model)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = bundle.file(f"{part}.safetensors")
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BundleError(
            f"{path} does not hold the weights of a {bundle.spec.architecture} {part}: {reason}"
        ) from None
    return module
