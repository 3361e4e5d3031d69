"""Model architectures, one per file: each a ``Config`` and what builds the parts of a model from it. torch only here.

A ``Config`` holds sizes, and knows its ``image_px`` and ``latent_shape`` (tokens, channels).

A part is a module with these inputs, in SI units and the conventions of :mod:`wm_core.pose`:

- encoder: ``image`` (B, 3, H, W), normalised -> ``latent`` (B, T, C), feature norm included;
- predictor over a window of K = 1..history frames: ``latents`` (B, K, T, C), ``states`` (B, K, 7), ``actions``
  (B, K, 7) -> ``next_latent`` (B, T, C), what follows the last frame; action k leaves frame k;
- predictor of one frame: ``latent`` (B, T, C), ``state`` (B, 7), ``action`` (B, 7) -> ``next_latent``, ``next_state``.

Weights may be float32, float16 or bfloat16; inputs and outputs are float32 in any case.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wm_core import config, install
from wm_core.errors import BundleError
from wm_core.names import unknown
from wm_models.bundle import Bundle

if TYPE_CHECKING:
    from torch import nn

#: Name in ``bundle.yaml`` -> module, imported only when it is asked for.
ARCHITECTURES = {
    "conv_jepa": "wm_models.architectures.conv_jepa",
    "vjepa2_ac": "wm_models.architectures.vjepa2_ac",
    "lewm": "wm_models.architectures.lewm",
    "dino_wm": "wm_models.architectures.dino_wm",
}


def check(name: str) -> None:
    """Raises BundleError if there is no architecture of that name. Needs no PyTorch."""
    if name not in ARCHITECTURES:
        raise BundleError(unknown("architecture", name, ARCHITECTURES))


def module_of(name: str) -> ModuleType:
    """The file of an architecture. Raises BundleError if the name is not known or PyTorch is not installed."""
    check(name)
    try:
        return importlib.import_module(ARCHITECTURES[name])
    except ImportError as error:
        raise BundleError(f"the architecture '{name}' needs PyTorch ({error}): {install.extra('train')}") from None


def build(name: str, part: str, settings: Mapping[str, Any]) -> nn.Module:
    """A part ("encoder", "predictor", "proposal") with fresh weights, in evaluation mode.

    Raises BundleError on an unknown architecture or part, ConfigError on settings that are not its ``Config``.
    """
    module = module_of(name)
    make = getattr(module, part, None)
    if make is None:
        raise BundleError(f"the architecture '{name}' has no {part}")
    return make(config.from_dict(module.Config, dict(settings), f"the model of a {name} bundle")).eval()


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
