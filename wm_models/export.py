"""From a trained torch model to a bundle: ONNX graphs with a dynamic batch, checked against torch, and a card."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wm_core.errors import BundleError

from .backends import load_backend
from .bundle import Bundle, BundleSpec, write_bundle

#: fp32 graphs at opset 20: at 23 TensorRT's fused attention has no fp32 kernel.
OPSET = 20
#: Largest difference between a graph and torch, relative to the largest value: fp32 rounding, ten times over.
PARITY = 2e-6


def export_graph(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], path: Path) -> None:
    """Write ``module`` as ONNX; the first dimension of every input is free. Inputs are examples with batch >= 2."""
    batch = torch.export.Dim.DYNAMIC
    shapes = tuple({0: batch} for _ in inputs)
    log = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(log):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            verbose=False,
        )
        assert program is not None
        program.save(str(path), external_data=False)


def parity(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], path: Path, backend: str) -> float:
    """Largest relative difference between a graph on ``backend`` and torch, over batches 1, 64 and 300."""
    runner = load_backend(backend, path)
    worst = 0.0
    generator = torch.Generator().manual_seed(0)
    for batch in (1, 64, 300):
        batched = {
            name: torch.randn(batch, *example.shape[1:], generator=generator) * 0.5 for name, example in inputs.items()
        }
        with torch.no_grad():
            expected = module(*batched.values())
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = runner.infer({name: value.numpy() for name, value in batched.items()})
        for name, value in zip(outputs, expected, strict=True):
            wanted = value.numpy()
            worst = max(worst, float(np.abs(found[name] - wanted).max() / np.abs(wanted).max()))
    runner.close()
    return worst


def export_bundle(
    path: str | Path,
    spec: BundleSpec,
    encoder: nn.Module,
    predictor: nn.Module,
    card: str,
    proposal: nn.Module | None = None,
) -> Bundle:
    """Export the graphs, check them on ONNX Runtime against torch, and write the bundle.

    ``card`` may hold ``{parity}``, which becomes a line with the measured differences.
    Raises BundleError where a graph differs from torch by more than :data:`PARITY`.
    """
    px = spec.preprocess
    tokens, channels = spec.latent.tokens, spec.latent.channels
    graphs = {
        "encoder": (encoder, {"image": torch.randn(2, 3, px.height, px.width)}, ["latent"]),
        "predictor": (
            predictor,
            {"latent": torch.randn(2, tokens, channels), "state": torch.randn(2, 7), "action": torch.randn(2, 7)},
            ["next_latent", "next_state"],
        ),
    }
    if proposal is not None:
        latent = torch.randn(2, tokens, channels)
        inputs = {"latent": latent, "goal": latent.clone(), "state": torch.randn(2, 7)}
        graphs["proposal"] = (proposal, inputs, ["action", "log_std"])
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, str | Path] = {}
        differences: dict[str, float] = {}
        for name, (module, inputs, outputs) in graphs.items():
            graph = Path(folder) / f"{name}.onnx"
            export_graph(module, inputs, outputs, graph)
            differences[name] = parity(module.eval(), inputs, outputs, graph, "onnxruntime")
            if differences[name] > PARITY:
                raise BundleError(f"{name}.onnx differs from torch by {differences[name]:.1e}, more than {PARITY:.0e}")
            files[graph.name] = graph
        line = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
        return write_bundle(path, spec, files, card.replace("{parity}", line))
