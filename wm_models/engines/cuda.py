"""One GPU through cuda-python: memory, a stream and CUDA graphs. Every call that fails is a BackendError."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime
from numpy.typing import NDArray

from ..backends.base import BackendError


class Gpu:
    """A GPU by its index, with a stream of its own. Raises BackendError if there is no such GPU."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._device_memory: list[int] = []
        self._host_memory: list[int] = []
        self.activate()
        facts = self._call("cudaGetDeviceProperties", index)
        self.name: str = facts.name.decode(errors="replace").rstrip("\0")
        self.compute_capability = f"{facts.major}.{facts.minor}"
        self.driver = int(self._call("cudaDriverGetVersion"))
        self.cuda = int(self._call("cudaRuntimeGetVersion"))
        # A stream that does not wait for the default one, so that it can be captured.
        self._stream = self._call("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)

    @property
    def stream(self) -> int:
        """The stream as TensorRT wants it."""
        return int(self._stream)

    def activate(self) -> None:
        """Make this the GPU of the calling thread."""
        self._call("cudaSetDevice", self._index)

    def memory(self, size: int) -> int:
        """The address of ``size`` bytes on the GPU."""
        self._device_memory.append(int(self._call("cudaMalloc", max(size, 1))))
        return self._device_memory[-1]

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """``size`` bytes of host memory that the GPU can copy from and to on its own."""
        address = int(self._call("cudaHostAlloc", size, runtime.cudaHostAllocDefault))
        self._host_memory.append(address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def upload(self, target: int, source: NDArray[Any], size: int) -> None:
        """Queue a copy of ``size`` bytes to the GPU."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", target, source.ctypes.data, size, kind, self._stream)

    def download(self, target: NDArray[Any], source: int, size: int) -> None:
        """Queue a copy of ``size`` bytes from the GPU."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", target.ctypes.data, source, size, kind, self._stream)

    def wait(self) -> None:
        """Until all that was queued is done."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, queue: Callable[[], None]) -> Any:
        """What ``queue`` queues, as a graph to :meth:`launch`; nothing runs yet. Raises BackendError if that fails."""
        # Thread local: what other threads do with CUDA meanwhile does not end the capture.
        self._call(
            "cudaStreamBeginCapture", self._stream, runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        )
        try:
            queue()
        except BaseException:
            runtime.cudaStreamEndCapture(self._stream)  # the stream is of no use before that
            runtime.cudaGetLastError()
            raise
        captured = self._call("cudaStreamEndCapture", self._stream)
        try:
            return self._call("cudaGraphInstantiate", captured, 0)
        finally:
            runtime.cudaGraphDestroy(captured)

    def launch(self, graph: Any) -> None:
        """Queue a captured graph."""
        self._call("cudaGraphLaunch", graph, self._stream)

    def destroy(self, graph: Any) -> None:
        """Free a captured graph."""
        runtime.cudaGraphExecDestroy(graph)

    def close(self) -> None:
        """Free the stream and all memory; arrays from :meth:`pinned` may not be touched any more."""
        for address in self._device_memory:
            runtime.cudaFree(address)
        for address in self._host_memory:
            runtime.cudaFreeHost(address)
        self._device_memory, self._host_memory = [], []
        runtime.cudaStreamDestroy(self._stream)

    def _call(self, function: str, *arguments: Any) -> Any:
        """One call of CUDA's run time, which returns an error and at most one value."""
        error, *values = getattr(runtime, function)(*arguments)
        if int(error) != 0:
            runtime.cudaGetLastError()  # else the next call reports it again
            text = runtime.cudaGetErrorString(error)[1]
            text = text.decode() if isinstance(text, bytes) else text
            raise BackendError(f"CUDA failed in {function}: {text}; check the GPU {self._index} with nvidia-smi")
        return values[0] if values else None
