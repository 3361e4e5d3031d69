"""OpenVINO on the CPU: float32, or bfloat16 where the CPU has it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from wm_core.errors import BundleError, one_line

from .base import Backend, BackendError, ModelIo, TensorInfo, Tensors, choose

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_HEAVY = {"FullyConnected", "MatMul", "Convolution", "Deconvolution", "ScaledDotProductAttention"}
_DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "f64": "float64"}


@dataclass(frozen=True)
class Options:
    """``precision`` to compute in: "bfloat16", or "float32", which lowers nothing that the graph itself does not."""

    precision: str = "float32"

    def __post_init__(self) -> None:
        choose("the precision of openvino", self.precision, tuple(_HINTS))


class OpenVinoBackend(Backend):
    """A graph compiled by OpenVINO's CPU plugin."""

    name = "openvino"
    options_class = Options

    def __init__(self, model: openvino.CompiledModel, io: ModelIo) -> None:
        self._model: openvino.CompiledModel | None = model
        self._request = model.create_infer_request()
        self._lock = threading.Lock()  # one request, whose buffers are reused
        self._io = io
        # What the plugin made of it, not what it was asked for: it has its own mind about both.
        self._threads = int(model.get_property("INFERENCE_NUM_THREADS"))
        self._precision = _precision(model)

    @classmethod
    def load(cls, onnx_path: Path, *, threads: int, options: Options) -> OpenVinoBackend:
        core = openvino.Core()
        try:
            graph = core.read_model(str(onnx_path))
        except Exception as error:  # OpenVINO raises RuntimeError and others
            raise BundleError(
                f"{onnx_path} cannot be read as an ONNX model ({one_line(error)}); "
                "fetch the bundle again or export it again"
            ) from None
        # Before it is compiled: a cast at an end of the graph may lend its name to the compiled input or output.
        io = ModelIo(
            {port.any_name: _tensor_info(port) for port in graph.inputs},
            {port.any_name: _tensor_info(port) for port in graph.outputs},
        )
        try:
            model = core.compile_model(
                graph,
                "CPU",
                {
                    # Without this hint the plugin takes bfloat16 on its own where the CPU has it.
                    "INFERENCE_PRECISION_HINT": _HINTS[options.precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "NUM_STREAMS": 1,
                    # Pinned threads of two processes would meet on the same core.
                    "ENABLE_CPU_PINNING": False,
                },
            )
            backend = cls(model, io)
        except Exception as error:
            raise BundleError(
                f"OpenVINO cannot compile {onnx_path} ({one_line(error)}); choose another back end"
            ) from None
        if options.precision not in backend._precision and options.precision != "float32":
            raise BackendError(
                f"this CPU would compute in {backend._precision}, not {options.precision}; set precision: float32"
            )
        return backend

    @property
    def io(self) -> ModelIo:
        return self._io

    def info(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "version": openvino.__version__.split("-")[0],
            "device": "cpu",
            "threads": self._threads,
            "precision": self._precision,
        }

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        with self._lock:
            if self._model is None:
                raise self._closed()
            given = [np.ascontiguousarray(inputs[name]) for name in self._io.inputs]
            try:
                outputs = self._request.infer(given, share_inputs=True)
                return {name: outputs[index] for index, name in enumerate(self._io.outputs)}  # copies
            except Exception as error:  # as above
                raise BackendError(f"OpenVINO failed: {one_line(error)}") from None

    def close(self) -> None:
        with self._lock:
            self._model = self._request = None


def _precision(model: openvino.CompiledModel) -> str:
    """What the layers that do nearly all of the arithmetic really compute in, as numpy names it.

    The plugin's own INFERENCE_PRECISION_HINT says float32 even where a graph in bfloat16 runs in bfloat16.
    """
    facts = [node.get_rt_info() for node in model.get_runtime_model().get_ops()]
    kinds = {fact["runtimePrecision"].value for fact in facts if fact["layerType"].value in _HEAVY}
    kinds = kinds or {model.get_property("INFERENCE_PRECISION_HINT").get_type_name()}
    return ", ".join(sorted(_DTYPES.get(kind, kind) for kind in kinds))


def _tensor_info(port: Any) -> TensorInfo:
    shape = tuple(None if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
    kind = port.get_element_type().get_type_name()
    return TensorInfo(shape, _DTYPES.get(kind, kind))


KIND = OpenVinoBackend
