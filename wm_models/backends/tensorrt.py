"""TensorRT on an NVIDIA GPU, for 10.12 and later and for 11.

An engine is built for this machine once and kept, see :mod:`wm_models.engines`. It is strongly typed: the precision is
that of the exported graph. From the second run with the same shapes on, copies and kernels are one CUDA graph, because
a planner launches the same small kernels thousands of times a second.

It has been written with care but not yet run on a GPU: the tests run it on doubles of TensorRT and CUDA, and build real
graphs with TensorRT-RTX (:mod:`wm_models.engines.rtx`). Compare it with torch ("wm models verify") before it moves an
arm.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import logging
import platform
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from wm_core import install
from wm_core.errors import ConfigError

from ..engines.cache import EngineCache, default_folder, graph_digest
from ..engines.cuda import Gpu
from ..engines.plan import Limits, Shape, build, logger, profile
from .base import Backend, BackendError, BackendUnavailableError, ModelIo, TensorInfo, Tensors

LOG = logging.getLogger(__name__)
#: Strongly typed networks, and all that is used here under the names that TensorRT 11 kept.
OLDEST = (10, 12)
#: Sets of input shapes that are kept ready; a planner and its window need a handful.
MOST_SHAPES = 8
_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Options:
    """``device``: "cuda" or "cuda:1". ``cache``: the folder of engines, by default in the user's cache.

    The engine is fastest at ``opt_batch`` (default: ``max_batch``) and takes windows of up to ``max_window`` frames
    (default: the history of the bundle). ``max_batch`` bounds its memory only: larger batches run in pieces.
    """

    device: str = "cuda"
    cache: str | None = None
    max_batch: int = 256
    opt_batch: int | None = None
    max_window: int | None = None

    def __post_init__(self) -> None:
        if re.fullmatch(r"cuda(:\d+)?", self.device) is None:
            raise ConfigError(f"the device of tensorrt must be cuda or cuda:N, not '{self.device}'")
        usual, window = self.opt_batch, self.max_window
        Limits(self.max_batch, self.max_batch if usual is None else usual, 1 if window is None else window)

    @property
    def index(self) -> int:
        """Of the GPU."""
        return int(self.device.partition(":")[2] or 0)


class TensorRtBackend(Backend):
    """An engine, the memory for its largest shapes, and one :class:`_Run` per set of input shapes."""

    name = "tensorrt"
    options_class = Options

    def __init__(self, engine: Any, gpu: Gpu, limits: Limits, threads: int, precision: str, device: str) -> None:
        self._engine: Any | None = engine
        self._gpu, self._limits, self._threads, self._precision = gpu, limits, threads, precision
        self._device = f"{gpu.name} ({device})"
        self._lock = threading.Lock()  # one stream and one set of buffers
        self._runs: collections.OrderedDict[tuple[Shape, ...], _Run] = collections.OrderedDict()
        self._captures = True
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        self._io = ModelIo(
            {name: _tensor_info(shapes[name]) for name in inputs},
            {name: _tensor_info(shapes[name]) for name in names if name not in inputs},
        )
        largest = {name: profile(name, shapes[name], limits)[2] for name in inputs}
        self._most = min(shape[0] for shape in largest.values())
        # Contexts never run at once, so they share the memory for what is between inputs and outputs.
        size = engine.device_memory_size_v2
        self._workspace = (gpu.memory(size), size)
        context = self._context(largest)
        largest |= {name: tuple(context.get_tensor_shape(name)) for name in self._io.outputs}
        sizes = {name: _FLOAT.itemsize * int(np.prod(shape)) for name, shape in largest.items()}
        self._on_gpu = {name: gpu.memory(size) for name, size in sizes.items()}
        self._on_host = {name: gpu.pinned(size).view(_FLOAT) for name, size in sizes.items()}

    @classmethod
    def load(cls, onnx_path: Path, *, threads: int, options: Options) -> TensorRtBackend:
        version = tuple(int(number) for number in re.findall(r"\d+", trt.__version__)[:2])
        if version < OLDEST:
            raise BackendUnavailableError(
                f"TensorRT {trt.__version__} is too old, at least {'.'.join(map(str, OLDEST))} is needed; "
                f"install it: {install.extra('tensorrt')}"
            )
        limits = Limits.of(onnx_path, options.max_batch, options.opt_batch, options.max_window)
        digest = graph_digest(onnx_path)
        gpu = Gpu(options.index)
        try:
            machine = {
                "tensorrt": trt.__version__,
                "gpu": gpu.name,
                "compute_capability": gpu.compute_capability,
                "driver": gpu.driver,
                "cuda": gpu.cuda,
                "system": f"{platform.system()} {platform.machine()}",
            }
            # The precision is that of the graph, so its digest stands for both.
            facts = {"graph": digest, **dataclasses.asdict(limits), "flags": "strongly typed, no tf32", **machine}
            cache = EngineCache(options.cache or default_folder())
            engine, notes = cache.engine(
                facts,
                lambda: _build(onnx_path, limits, cache, machine),
                _runtime().deserialize_cuda_engine,  # None where the engine is of another machine or version
            )
            return cls(engine, gpu, limits, threads, notes["precision"], options.device)
        except BaseException:
            gpu.close()
            raise

    @property
    def io(self) -> ModelIo:
        return self._io

    def info(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "version": trt.__version__,
            "device": self._device,
            "threads": self._threads,
            "precision": self._precision,
            "cuda_graphs": sum(run.graph is not None for run in list(self._runs.values())),
        }

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        with self._lock:
            if self._engine is None:
                raise self._closed()
            self._gpu.activate()
            batches = {array.shape[0] for array in inputs.values()}
            if len(batches) != 1 or 0 in batches:
                raise BackendError(f"TensorRT failed: the batches {sorted(batches)} must be one, and not empty")
            batch = batches.pop()
            pieces = []
            for first in range(0, batch, self._most):
                piece = {name: array[first : first + self._most] for name, array in inputs.items()}
                pieces.append(self._run_piece(piece))
            if len(pieces) == 1:
                return pieces[0]
            return {name: np.concatenate([piece[name] for piece in pieces]) for name in self._io.outputs}

    def _run_piece(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        run = self._prepared({name: array.shape for name, array in inputs.items()})
        for name, array in inputs.items():
            np.copyto(self._on_host[name][: array.size].reshape(array.shape), array)
        # The first run settles what the context allocates and chooses, which a graph cannot hold.
        if run.graph is None and run.done and self._captures:
            try:
                run.graph = self._gpu.capture(lambda: self._queue(run))
            except BackendError as error:
                self._captures = False
                LOG.warning("this engine runs without CUDA graphs (%s)", error)
        if run.graph is not None:
            self._gpu.launch(run.graph)
        else:
            self._queue(run)
        self._gpu.wait()
        run.done = True
        return {
            name: self._on_host[name][: int(np.prod(run.shapes[name]))].reshape(run.shapes[name]).copy()
            for name in self._io.outputs
        }

    def _queue(self, run: _Run) -> None:
        """Queue the copies to the GPU, the engine, and the copies back."""
        size = {name: _FLOAT.itemsize * int(np.prod(shape)) for name, shape in run.shapes.items()}
        for name in self._io.inputs:
            self._gpu.upload(self._on_gpu[name], self._on_host[name], size[name])
        if not run.context.execute_async_v3(self._gpu.stream):
            raise BackendError(f"TensorRT failed: {_last_error()}")
        for name in self._io.outputs:
            self._gpu.download(self._on_host[name], self._on_gpu[name], size[name])

    def _prepared(self, shapes: dict[str, Shape]) -> _Run:
        """The run for these shapes. One context each: a graph is only valid while its context keeps its shapes."""
        key = tuple(shapes[name] for name in self._io.inputs)
        if key in self._runs:
            self._runs.move_to_end(key)
            return self._runs[key]
        context = self._context(shapes)
        for name, address in self._on_gpu.items():
            context.set_tensor_address(name, address)
        outputs = {name: tuple(context.get_tensor_shape(name)) for name in self._io.outputs}
        if len(self._runs) == MOST_SHAPES:
            self._forget(next(iter(self._runs)))
        self._runs[key] = _Run(context, {**shapes, **outputs})
        return self._runs[key]

    def _context(self, shapes: Mapping[str, Shape]) -> Any:
        """An execution context that is set to these input shapes. Raises BackendError where they do not fit."""
        assert self._engine is not None
        context = self._engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise BackendError(f"TensorRT cannot run the engine: {_last_error()}")
        context.set_device_memory(*self._workspace)
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise BackendError(
                    f"the engine takes no '{name}' of the shape {shape}, but windows of up to "
                    f"{self._limits.max_window}; set max_window"
                )
        try:
            faults = context.infer_shapes()
        except RuntimeError:
            faults = [_last_error()]
        if faults:
            raise BackendError(f"TensorRT failed: the shapes {dict(shapes)} do not fit each other ({faults[0]})")
        return context

    def _forget(self, key: tuple[Shape, ...]) -> None:
        run = self._runs.pop(key)
        if run.graph is not None:
            self._gpu.destroy(run.graph)

    def close(self) -> None:
        with self._lock:
            if self._engine is None:
                return
            self._gpu.activate()
            for key in list(self._runs):
                self._forget(key)
            self._engine = None
            self._on_host = {}
            self._gpu.close()


@dataclass
class _Run:
    """The engine set to one set of shapes, inputs and outputs; its CUDA graph once it has been captured."""

    context: Any
    shapes: dict[str, Shape]
    done: bool = False
    graph: Any = None


def _build(
    onnx_path: Path, limits: Limits, cache: EngineCache, machine: dict[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """Build an engine with what earlier builds on this machine measured, and keep what this one did."""
    kept: list[Any] = []

    def configure(settings: Any) -> None:
        timing = settings.create_timing_cache(cache.timing(machine))
        if timing is None or not settings.set_timing_cache(timing, False):  # damaged, or of another machine
            timing = settings.create_timing_cache(b"")
            settings.set_timing_cache(timing, False)
        kept.extend((settings, timing))  # both must outlive the build

    plan = build(trt, onnx_path, limits, configure)
    measured = kept[0].get_timing_cache()
    if measured is not None:
        cache.store_timing(machine, bytes(measured.serialize()))
    return plan.data, {"precision": plan.precision}


@functools.cache
def _runtime() -> Any:
    """The one run time of the process, which outlives every engine."""
    return trt.Runtime(logger(trt))


def _tensor_info(shape: Shape) -> TensorInfo:
    return TensorInfo(tuple(None if size < 0 else size for size in shape), "float32")


def _last_error() -> str:
    errors = logger(trt).errors
    return errors[-1] if errors else "it gives no reason"


KIND = TensorRtBackend
