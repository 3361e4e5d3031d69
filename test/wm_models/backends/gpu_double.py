"""Doubles of ``tensorrt`` and ``cuda.bindings.runtime`` for a machine without a GPU.

"GPU memory" is host memory; the stream is a list that runs when it is waited for, so that nothing is there too early.
The one engine computes next_latent (B, 4, 3) = latents.sum(1) + states.sum() + actions.sum(), by the addresses and
shapes that its context was given. What it does not show: that real kernels run, are right, or are fast.
"""

from __future__ import annotations

import ctypes
import enum
import types
from typing import ClassVar

import numpy as np

MAX_WINDOW = 3


class Cuda(types.ModuleType):
    """``cuda.bindings.runtime``. ``fail[name]`` makes calls of that name fail with an error."""

    cudaStreamNonBlocking = 1
    cudaHostAllocDefault = 0

    class cudaStreamCaptureMode(enum.IntEnum):
        cudaStreamCaptureModeThreadLocal = 1

    class cudaMemcpyKind(enum.IntEnum):
        cudaMemcpyHostToDevice = 1
        cudaMemcpyDeviceToHost = 2

    def __init__(self) -> None:
        super().__init__("cuda.bindings.runtime")
        self.fail: dict[str, int] = {}
        self.calls: list[str] = []
        self.blocks: dict[int, ctypes.Array] = {}
        self.queue: list = []
        self.captured: list | None = None
        self.graphs = 0

    def __getattribute__(self, name: str):
        if not name.startswith("cuda") or name[4].islower() or isinstance(getattr(Cuda, name), (int, type)):
            return super().__getattribute__(name)
        real = super().__getattribute__(name)

        def call(*arguments):
            self.calls.append(name)
            return (self.fail[name], None) if name in self.fail else real(*arguments)

        return call

    def submit(self, work) -> None:
        (self.queue if self.captured is None else self.captured).append(work)

    def cudaSetDevice(self, index):
        return (0,)

    def cudaGetDeviceProperties(self, index):
        return 0, types.SimpleNamespace(name=b"Double\0", major=8, minor=9)

    def cudaDriverGetVersion(self):
        return 0, 12080

    def cudaRuntimeGetVersion(self):
        return 0, 12060

    def cudaGetLastError(self):
        return (0,)

    def cudaGetErrorString(self, error):
        return 0, b"something went wrong"

    def cudaMalloc(self, size):
        block = (ctypes.c_uint8 * size)()
        self.blocks[ctypes.addressof(block)] = block
        return 0, ctypes.addressof(block)

    def cudaHostAlloc(self, size, flags):
        return self.cudaMalloc(size)

    def cudaFree(self, address):
        del self.blocks[address]
        return (0,)

    cudaFreeHost = cudaFree

    def cudaStreamCreateWithFlags(self, flags):
        return 0, 7

    def cudaStreamDestroy(self, stream):
        return (0,)

    def cudaMemcpyAsync(self, target, source, size, kind, stream):
        self.submit(lambda: ctypes.memmove(target, source, size))
        return (0,)

    def cudaStreamSynchronize(self, stream):
        queue, self.queue = self.queue, []
        for work in queue:
            work()
        return (0,)

    def cudaStreamBeginCapture(self, stream, mode):
        assert self.captured is None
        self.captured = []
        return (0,)

    def cudaStreamEndCapture(self, stream):
        captured, self.captured = self.captured, None
        return 0, captured

    def cudaGraphInstantiate(self, graph, flags):
        self.graphs += 1
        return 0, list(graph)

    def cudaGraphDestroy(self, graph):
        return (0,)

    def cudaGraphExecDestroy(self, graph):
        self.graphs -= 1
        return (0,)

    def cudaGraphLaunch(self, graph, stream):
        self.queue.extend(graph)
        return (0,)


class Severity(enum.IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class TensorIOMode(enum.IntEnum):
    INPUT, OUTPUT = 1, 2


class ExecutionContextAllocationStrategy(enum.IntEnum):
    STATIC, ON_PROFILE_CHANGE, USER_MANAGED = range(3)


class ILogger:
    Severity = Severity


class Runtime:
    def __init__(self, log) -> None:
        self.log = log

    def deserialize_cuda_engine(self, plan: bytes):
        if not plan.startswith(b"engine"):
            self.log.log(Severity.ERROR, "Serialization assertion failed")
            return None
        return ICudaEngine()


class ICudaEngine:
    cuda: Cuda
    shapes: ClassVar = {
        "latents": (-1, -1, 4, 3),
        "states": (-1, -1, 7),
        "actions": (-1, -1, 7),
        "next_latent": (-1, 4, 3),
    }
    device_memory_size_v2 = 1000
    num_io_tensors = 4

    def get_tensor_name(self, index):
        return list(self.shapes)[index]

    def get_tensor_mode(self, name):
        return TensorIOMode.OUTPUT if name == "next_latent" else TensorIOMode.INPUT

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def create_execution_context(self, strategy):
        assert strategy == ExecutionContextAllocationStrategy.USER_MANAGED
        return IExecutionContext(self.cuda)


class IExecutionContext:
    def __init__(self, cuda: Cuda) -> None:
        self._cuda, self._shapes, self._addresses, self._workspace = cuda, {}, {}, None

    def set_device_memory(self, address, size):
        assert len(self._cuda.blocks[address]) >= size
        self._workspace = address

    def set_input_shape(self, name, shape):
        self._shapes[name] = shape
        return shape[1] <= MAX_WINDOW

    def infer_shapes(self):
        if len({shape[:2] for shape in self._shapes.values()}) != 1:
            raise RuntimeError("shapes differ")
        return []

    def get_tensor_shape(self, name):
        return self._shapes.get(name, (self._shapes["latents"][0], 4, 3))

    def set_tensor_address(self, name, address):
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        assert stream == 7 and self._workspace is not None and len(self._addresses) == 4
        shapes = {name: self.get_tensor_shape(name) for name in self._addresses}
        self._cuda.submit(lambda: self._compute(shapes))
        return True

    def _compute(self, shapes):
        arrays = {name: self._array(name, shape) for name, shape in shapes.items()}
        moved = arrays["states"].sum((1, 2)) + arrays["actions"].sum((1, 2))
        arrays["next_latent"][...] = arrays["latents"].sum(1) + moved[:, None, None]

    def _array(self, name, shape):
        block = self._cuda.blocks[self._addresses[name]]
        return np.frombuffer(block, np.float32)[: int(np.prod(shape))].reshape(shape)


def tensorrt(cuda: Cuda, version: str = "10.12.0.36") -> types.ModuleType:
    """The module ``tensorrt``, on the GPU of ``cuda``."""
    ICudaEngine.cuda = cuda
    module = types.ModuleType("tensorrt")
    things = (ILogger, Runtime, ICudaEngine, IExecutionContext, TensorIOMode, ExecutionContextAllocationStrategy)
    module.__dict__.update({thing.__name__: thing for thing in things}, __version__=version)
    return module
