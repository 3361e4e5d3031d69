"""From torch modules to a bundle: ONNX graphs with a free batch, checked against torch, and the weights beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wm_core.errors import BundleError

from .backends import BackendUnavailableError, load_backend
from .bundle import Bundle, BundleSpec, write_bundle
from .parts import Form, Shape, filled, form_of

#: fp32 graphs at opset 20: at 23 TensorRT's fused attention has no fp32 kernel.
OPSET = 20
#: Precision -> dtype of the weights, and the largest :func:`difference` between a graph and torch in float32.
#: float32: its rounding, ten times over. The others: what their mantissas leave after tens of layers.
PRECISIONS = {"float32": (torch.float32, 2e-6), "float16": (torch.float16, 5e-3), "bfloat16": (torch.bfloat16, 2e-2)}
#: Batches at which a graph is compared with torch.
BATCHES = (1, 64, 300)
#: A protobuf cannot hold 2 GB; larger graphs keep their weights in a second file.
_LARGEST_PROTOBUF = 1_900_000_000
#: Parameters up to which a part is compared at all batches; a larger one at the first only, or it would take hours.
_SMALL = 50_000_000
#: What runs a graph of a precision as it is written, on a CPU: ONNX Runtime has few bfloat16 kernels there.
_RUNNERS = {"float32": "onnxruntime", "float16": "onnxruntime", "bfloat16": "openvino"}


def example_inputs(form: Form, spec: BundleSpec, batch: int = 2, window: int = 2) -> dict[str, Tensor]:
    """Random inputs of a part by name: float32, of a bundle's shapes."""
    generator = torch.Generator().manual_seed(batch)

    def draw(shape: Shape) -> Tensor:
        return 0.5 * torch.randn(*filled(shape, spec, batch, window), generator=generator)

    return {name: draw(shape) for name, shape in form.inputs.items()}


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The norm of the error relative to the norm of what is wanted."""
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def export_graph(
    part: str, module: nn.Module, spec: BundleSpec, path: Path, precision: str = "float32"
) -> float | None:
    """Write a part as ``path`` (and ``path``.data where it is large) and compare it with torch as it came.

    The batch is free, and so is the window of a predictor that has one. ``module`` is then converted to ``precision``.

    Returns the largest relative difference; None where nothing is installed that runs such a graph on a CPU.
    Raises BundleError if that is more than :data:`PRECISIONS` allows.
    """
    dtype, tolerance = PRECISIONS[precision]
    form = form_of(part, module)
    windows = range(1, min(spec.history, 3) + 1) if form.windowed else (1,)
    small = sum(p.numel() for p in module.parameters()) <= _SMALL
    checks: list[tuple[dict[str, Tensor], list[Tensor]]] = []
    for batch in BATCHES if small else BATCHES[:1]:
        for window in windows:
            inputs = example_inputs(form, spec, batch, window)
            with torch.no_grad():
                expected = module.eval()(*inputs.values())
            checks.append((inputs, list(expected) if isinstance(expected, tuple) else [expected]))
    names = list(form.outputs)[: len(checks[0][1])]
    examples = example_inputs(form, spec, window=min(2, spec.history))
    free = {"B", "K"} if spec.history > 1 else {"B"}
    axes = [[axis for axis, dim in enumerate(form.inputs[name]) if dim in free] for name in examples]
    _write(module.to(dtype), examples, axes, names, path, precision)
    return _difference(path, checks, names, precision, tolerance)


def export_bundle(
    path: str | Path,
    spec: BundleSpec,
    parts: Mapping[str, nn.Module],
    card: str,
    precision: str = "float32",
    progress: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Write a bundle: for each part its weights, and its graph in ``precision``, checked against torch.

    ``card`` may hold ``{parity}``, which becomes a line with the measured differences; ``progress`` is told what is
    being done. Raises BundleError where a graph differs from torch by more than :data:`PRECISIONS` allows.
    """
    differences: dict[str, str] = {}

    def write_weights(part: str) -> Callable[[Path], None]:
        return lambda target: save_weights(parts[part], target)

    def write_graph(part: str) -> Callable[[Path], None]:
        def write(target: Path) -> None:
            progress(f"{part}: export in {precision}, and comparison with torch")
            found = export_graph(part, parts[part], spec, target, precision)
            differences[part] = "not compared" if found is None else f"{found:.1e}"

        return write

    files: dict[str, Callable[[Path], object]] = {}
    for part in parts:
        files[f"{part}.safetensors"] = write_weights(part)
    for part in parts:
        files[f"{part}.onnx"] = write_graph(part)

    def final_card() -> str:
        return card.replace("{parity}", ", ".join(f"{part} {value}" for part, value in differences.items()))

    return write_bundle(path, dataclasses.replace(spec, precision=precision), files, final_card)


def save_weights(module: nn.Module, target: Path) -> None:
    """The module's state dict as safetensors."""
    save_file({name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}, target)
    target.chmod(0o644)  # as any other file; safetensors writes it for its owner alone


def _write(
    module: nn.Module,
    inputs: dict[str, Tensor],
    free: list[list[int]],
    outputs: list[str],
    path: Path,
    precision: str,
) -> None:
    """Export with the sizes of the ``inputs``, but for the axes of each that are ``free``."""
    shapes = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in free)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
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
            # The exporter's own fusions leave float32 constants in graphs of less precision, which no back end takes.
            optimize=precision == "float32",
        )
        assert program is not None
        program.model.metadata_props["precision"] = precision  # back ends report it; inputs are float32 in any case
        size = sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())
        program.save(str(path), external_data=size > _LARGEST_PROTOBUF)


def _difference(
    path: Path,
    checks: list[tuple[dict[str, Tensor], list[Tensor]]],
    names: list[str],
    precision: str,
    tolerance: float,
) -> float | None:
    """Largest relative difference between a graph and what torch gave; None if nothing here can run the graph."""
    try:
        runner = load_backend(_RUNNERS[precision], path)
    except BackendUnavailableError:
        return None
    worst = 0.0
    try:
        wanted = runner.io.inputs
        for inputs, expected in checks:
            found = runner.infer({name: value.numpy() for name, value in inputs.items() if name in wanted})
            for name, value in zip(names, expected, strict=True):
                worst = max(worst, difference(found[name], value.numpy()))
    finally:
        runner.close()
    if not worst <= tolerance:  # NaN is refused as well
        raise BundleError(f"{path.name} in {precision} differs from torch by {worst:.1e}, more than {tolerance:.0e}")
    return worst
