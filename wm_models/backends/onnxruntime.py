"""ONNX Runtime on the CPU: the default back end. It computes in the types of the graph, exact float32 by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from wm_core import install
from wm_core.errors import BundleError, one_line

from .base import Backend, BackendError, ModelIo, TensorInfo, Tensors

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}


class OnnxRuntimeBackend(Backend):
    """A graph in an ONNX Runtime session on the CPU provider."""

    name = "onnxruntime"

    def __init__(self, session: onnxruntime.InferenceSession, threads: int) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._threads = threads
        self._io = ModelIo(
            {node.name: _tensor_info(node) for node in session.get_inputs()},
            {node.name: _tensor_info(node) for node in session.get_outputs()},
        )
        # Inputs and outputs are float32 whatever is between them, so the exporter notes the precision in the graph.
        outputs = ", ".join(sorted({tensor.dtype for tensor in self._io.outputs.values()}))
        self._precision = session.get_modelmeta().custom_metadata_map.get("precision", outputs)

    @classmethod
    def load(cls, onnx_path: Path, *, threads: int, options: Any = None) -> OnnxRuntimeBackend:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        # Idle worker threads sleep: spinning ones would take the controller's core.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.log_severity_level = 4  # failures are raised; a log line besides would only repeat them
        try:
            session = onnxruntime.InferenceSession(str(onnx_path), settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class of their own
            if type(error).__name__ == "NotImplemented":  # the CPU provider has hardly any bfloat16
                raise BundleError(
                    f"ONNX Runtime cannot compute {onnx_path} on a CPU ({one_line(error)}); "
                    "choose another back end, or export the bundle in float32"
                ) from None
            if "IR version" in str(error):
                raise BundleError(
                    f"{onnx_path} was written for a newer ONNX Runtime than {onnxruntime.__version__} "
                    f"({one_line(error)}); {install.package('onnxruntime')}, or export the bundle again"
                ) from None
            raise BundleError(
                f"{onnx_path} cannot be read as an ONNX model ({one_line(error)}); "
                "fetch the bundle again or export it again"
            ) from None
        return cls(session, threads)

    @property
    def io(self) -> ModelIo:
        return self._io

    def info(self) -> dict[str, Any]:
        # The CPU provider computes in the types that the graph declares; it never lowers them on its own.
        return {
            "backend": self.name,
            "version": onnxruntime.__version__,
            "device": "cpu",
            "threads": self._threads,
            "precision": self._precision,
        }

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        session = self._session
        if session is None:
            raise self._closed()
        try:
            outputs = session.run(None, dict(inputs))
        except Exception as error:  # as above
            raise BackendError(f"ONNX Runtime failed: {one_line(error)}") from None
        return dict(zip(self._io.outputs, outputs, strict=True))

    def close(self) -> None:
        self._session = None


def _tensor_info(node: Any) -> TensorInfo:
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorInfo(shape, _DTYPES.get(node.type, node.type))


KIND = OnnxRuntimeBackend
