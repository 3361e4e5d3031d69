"""From an ONNX file to a serialized engine (a plan), in the API that TensorRT 10.12+, 11 and TensorRT-RTX share.

The library is an argument, ``trt``: the module ``tensorrt`` on a machine with a GPU, ``tensorrt_rtx`` for a check
without one. Networks are strongly typed: an engine computes in the types of its graph, and nothing else.
"""

from __future__ import annotations

import collections
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_core import config
from wm_core.errors import BundleError, ConfigError, one_line

from ..bundle import SPEC_NAME, BundleSpec

LOG = logging.getLogger(__name__)
#: An encoder sees one frame at a time, or a handful of goal images.
ENCODER_BATCH = 8
#: Layers that do nearly all of the arithmetic; their types are the precision of a model.
_HEAVY = {"CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "EINSUM", "ATTENTION_INPUT"}
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Limits:
    """The sizes that an engine is built for: it is fastest at ``opt_batch`` and at the longest window of frames."""

    max_batch: int = 256
    opt_batch: int = 256
    max_window: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.opt_batch <= self.max_batch:
            raise ConfigError(f"opt_batch {self.opt_batch} must lie within 1 and max_batch = {self.max_batch}")
        if self.max_window < 1:
            raise ConfigError(f"max_window {self.max_window} must be at least 1")

    @classmethod
    def of(cls, onnx_path: Path, max_batch: int, opt_batch: int | None, max_window: int | None) -> Limits:
        """None: the engine is tuned for full batches, and the window is the history of the graph's bundle."""
        if max_window is None:
            spec = onnx_path.with_name(SPEC_NAME)
            max_window = config.load(BundleSpec, spec).history if spec.is_file() else 1
        return cls(max_batch, max_batch if opt_batch is None else opt_batch, max_window)


@dataclass(frozen=True)
class Plan:
    """A serialized engine, and the precision of its heavy layers."""

    data: bytes
    precision: str


def profile(name: str, shape: Shape, limits: Limits) -> tuple[Shape, Shape, Shape]:
    """Smallest, usual and largest shape of an input, whose free dimensions are negative: the batch and the window.

    Raises BundleError where another dimension is free.
    """
    if any(size < 0 for size in shape[2:]):
        raise BundleError(f"input '{name}' has the shape {shape}; only batch and window may be free, export it again")
    batches, windows = (1, limits.opt_batch, limits.max_batch), (1, limits.max_window, limits.max_window)
    if name == "image":
        batches = (1, 1, min(ENCODER_BATCH, limits.max_batch))
    free = (batches, windows)

    def pick(which: int) -> Shape:
        return tuple(size if size >= 0 else free[axis][which] for axis, size in enumerate(shape))

    return pick(0), pick(1), pick(2)


def build(trt: Any, onnx_path: Path, limits: Limits, configure: Callable[[Any], None]) -> Plan:
    """Parse a graph and build its engine, which can take minutes.

    ``configure`` may change the builder's configuration, and keep it: it holds the timing cache after the build.
    Raises BundleError, with the library's reasons, if the graph cannot be parsed or built.
    """
    log = logger(trt)
    log.errors.clear()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx_path)):  # from a file, so that weights in a second file are found
        reasons = [_reason(parser.get_error(index)) for index in range(parser.num_errors)]
        raise BundleError(
            f"{trt.__name__} cannot parse {onnx_path}: {one_line('; '.join(reasons), 600)}; export the bundle again"
        )
    settings = builder.create_builder_config()
    ranges = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        ranges.set_shape(tensor.name, *profile(tensor.name, tuple(tensor.shape), limits))
    settings.add_optimization_profile(ranges)
    # Where the GPU could, products of float32 would be rounded to 10 bits: exact, or in the precision of the export.
    settings.clear_flag(trt.BuilderFlag.TF32)
    configure(settings)
    _check_types(onnx_path, network)
    LOG.info("%s builds an engine for %s; it is done once on a machine, and can take minutes", trt.__name__, onnx_path)
    start = time.monotonic()
    data = builder.build_serialized_network(network, settings)
    if data is None:
        raise BundleError(
            f"{trt.__name__} cannot build {onnx_path}: {one_line('; '.join(log.errors) or 'no reason given', 600)}; "
            "export the bundle again, or choose another back end"
        )
    LOG.info("%s built %s in %.0f s", trt.__name__, onnx_path, time.monotonic() - start)
    return Plan(bytes(data), precision(network))


def precision(network: Any) -> str:
    """What the heavy layers of a strongly typed network multiply, as numpy names it; several with commas."""
    layers = (network.get_layer(index) for index in range(network.num_layers))
    kinds = {layer.get_input(0).dtype.name for layer in layers if layer.type.name in _HEAVY}
    return ", ".join(sorted(_DTYPES.get(kind, kind.lower()) for kind in kinds)) or "float32"


@functools.cache
def logger(trt: Any) -> Any:
    """The one logger of a library, which takes no second one: to Python's logging; ``errors`` holds the last ones."""
    # Most of what TensorRT calls an error here is a miss of a cache, or is raised as an exception.
    levels = {"INTERNAL_ERROR": logging.WARNING, "ERROR": logging.WARNING, "WARNING": logging.WARNING}

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: collections.deque[str] = collections.deque(maxlen=4)

        def log(self, severity: Any, text: str) -> None:
            if "ERROR" in severity.name:
                self.errors.append(one_line(text))
            if severity.name != "VERBOSE":
                LOG.log(levels.get(severity.name, logging.DEBUG), "%s: %s", trt.__name__, text)

    return Log()


def _check_types(onnx_path: Path, network: Any) -> None:
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    tensors += [network.get_output(i) for i in range(network.num_outputs)]
    for tensor in tensors:
        if tensor.dtype.name != "FLOAT":
            kind = _DTYPES.get(tensor.dtype.name, tensor.dtype.name.lower())
            raise BundleError(f"{onnx_path}: '{tensor.name}' must be float32, not {kind}; export the bundle again")


def _reason(error: Any) -> str:
    where = f"{error.node_name()} ({error.node_operator()}): " if error.node_operator() else ""
    return where + error.desc()
