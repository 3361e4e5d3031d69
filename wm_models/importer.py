"""From a published checkpoint, or from nothing but sizes, to a bundle. See :mod:`wm_models.checkpoints`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wm_core import config
from wm_core.errors import BundleError

from . import architectures, checkpoints
from .bundle import NOTHING, ActionSpec, Bundle, BundleSpec, LatentSpec, PreprocessSpec, write_bundle
from .export import export_bundle, save_weights
from .parts import NEEDED, of_files

Say = Callable[[str], None]


def import_checkpoint(
    name: str, path: Path, out: Path, options: Mapping[str, Any], precision: str | None, say: Say
) -> Bundle:
    """Read a checkpoint with the reader ``name`` and write the bundle ``out``.

    Without ``precision`` the bundle holds weights only, which the torch back end runs; :func:`export_again` adds
    graphs. Large files are memory-mapped, and one part is in memory at a time.
    Raises BundleError on a file that is not such a checkpoint, with the list of what is wrong.
    """
    say(f"reading {path}")
    found = checkpoints.read(name, path, options)
    model = dataclasses.asdict(found.config)
    spec = BundleSpec(
        name=out.name,
        architecture=found.architecture,
        licence=found.licence,
        step_period_s=found.step_period_s,
        latent=LatentSpec(*found.config.latent_shape),
        preprocess=found.preprocess,
        action=found.action,
        pose_frame=found.pose_frame,
        energy=found.energy,
        history=found.history,
        planner=found.planner,
        model=model,
    )
    card = _card(spec, f"Imported from `{path.name}` by `wm models import {name}`.\n\n{found.notes}")

    def weights(part: str) -> Callable[[Path], None]:
        def write(target: Path) -> None:
            say(f"writing the weights of the {part}")
            from safetensors.torch import save_file

            save_file({key: tensor.contiguous() for key, tensor in found.parts[part].items()}, target)
            target.chmod(0o644)

        return write

    bundle = write_bundle(out, spec, {f"{part}.safetensors": weights(part) for part in found.parts}, card)
    return bundle if precision is None else export_again(out, out, precision, say)


def random_bundle(
    architecture: str, out: Path, sizes: Mapping[str, Any], precision: str | None, say: Say, seed: int = 0
) -> Bundle:
    """A bundle of an architecture's full size, but for ``sizes``, with random weights: for benchmarks and tests.

    Raises ConfigError on sizes that the architecture does not have.
    """
    kind = architectures.ARCHITECTURES.load(architecture)
    settings = config.from_dict(kind.config, dict(sizes), f"the sizes of {architecture}")
    model = dataclasses.asdict(settings)
    preprocess = PreprocessSpec(settings.image_px, settings.image_px)
    spec = BundleSpec(
        name=out.name,
        architecture=architecture,
        licence="Apache-2.0",
        step_period_s=1.0,
        latent=LatentSpec(*settings.latent_shape),
        preprocess=preprocess,
        action=ActionSpec((-0.075,) * 3 + (0.0,) * 3 + (-0.75,), (0.075,) * 3 + (0.0,) * 3 + (0.75,)),
        history=getattr(settings, "history", 1),
        trained_on=NOTHING,
        model=model,
    )
    torch.manual_seed(seed)
    card = _card(spec, "Random weights: good for timing, for nothing else.")
    parts: dict[str, nn.Module] = {}
    for part in NEEDED:
        say(f"filling the {part}")
        parts[part] = architectures.build(architecture, part, model)
        for weights in parts[part].parameters():
            if not weights.any():  # zeros are how some layers begin; what they hide would not be compared
                nn.init.normal_(weights, std=0.02)
    return _write(out, spec, parts, card, precision, say)


def export_again(bundle: str | Path, out: Path, precision: str, say: Say) -> Bundle:
    """The bundle's weights as graphs in ``precision``, in the bundle ``out``, which may be the same.

    Raises BundleError where the bundle has no weights, or a graph differs from torch by too much.
    """
    source = Bundle.load(bundle)
    names = of_files(name for name in source.spec.files if name.endswith(".safetensors"))
    if not names:
        raise BundleError(f"{source.path} holds graphs only, no weights to export; import its checkpoint again")
    parts = {name: architectures.load(source, name) for name in names}
    spec = dataclasses.replace(source.spec, name=out.name, files={})
    card = (source.path / "CARD.md").read_text(encoding="utf-8")
    return _write(out, spec, parts, card, precision, say)


_PARITY = "Largest relative difference from PyTorch in float32: {parity}.\n"


def _write(
    out: Path, spec: BundleSpec, parts: Mapping[str, nn.Module], card: str, precision: str | None, say: Say
) -> Bundle:
    if precision is not None:
        return export_bundle(out, spec, parts, f"{card}\n## Graphs in {precision}\n{_PARITY}", precision, say)

    def weights(module: nn.Module) -> Callable[[Path], None]:
        return lambda target: save_weights(module, target)

    return write_bundle(out, spec, {f"{part}.safetensors": weights(module) for part, module in parts.items()}, card)


def _card(spec: BundleSpec, text: str) -> str:
    return f"# {spec.name}\n\n{text}\n\nArchitecture {spec.architecture}, licence of the weights: {spec.licence}.\n"
