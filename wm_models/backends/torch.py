"""PyTorch on the CPU or a GPU: the reference that every other back end can be compared with.

Runs the architecture itself on ``<part>.safetensors``; the ONNX file need not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch  # noqa: F401  (weights are read with it: without it this back end cannot be had)
import torch
from numpy.typing import NDArray
from torch import nn

from wm_core import config
from wm_core.errors import BundleError, one_line

from .. import architectures
from ..bundle import SPEC_NAME, Bundle, BundleSpec
from ..parts import declared, form_of, sized
from .base import Backend, BackendError, ModelIo, TensorInfo, Tensors, choose

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Options:
    """``precision`` of weights and arithmetic, inputs and outputs stay float32; ``device`` as torch names it.

    ``cuda_graph``: on a GPU, what a search asks for time and again is captured once and replayed.
    """

    precision: str = "float32"
    device: str = "cpu"
    cuda_graph: bool = True

    def __post_init__(self) -> None:
        choose("the precision of torch", self.precision, tuple(_DTYPES))
        try:
            kind = torch.device(self.device).type
        except RuntimeError:
            kind = self.device
        choose("the device of torch", kind, ("cpu", "cuda"))


class TorchBackend(Backend):
    """A module of :mod:`wm_models.architectures` with a bundle's weights."""

    name = "torch"
    options_class = Options
    suffix = ".safetensors"

    def __init__(self, part: str, module: nn.Module, spec: BundleSpec, threads: int, options: Options) -> None:
        self._module: nn.Module | None = module
        self._threads, self._device = threads, torch.device(options.device)
        kinds = {p.dtype for p in (*module.parameters(), *module.buffers()) if p.is_floating_point()}
        self._precision = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds)) or options.precision
        form = form_of(part, module)
        inputs = {name: TensorInfo(sized(shape, spec), "float32") for name, shape in form.inputs.items()}
        self._io = ModelIo(inputs, {name: TensorInfo((), "float32") for name in form.outputs})
        # A module that takes float32 rounds late, where it costs least; any other wants the type of its weights.
        self._given = torch.float32
        try:
            found = self.warmup()
        except BackendError:
            self._given = _DTYPES[options.precision]
            found = self.warmup()
        # The outputs are what came out: not every model has them all.
        self._io = ModelIo(
            inputs, {name: TensorInfo((None, *array.shape[1:]), "float32") for name, array in found.items()}
        )

    @classmethod
    def load(cls, onnx_path: Path, *, threads: int, options: Options) -> TorchBackend:
        part = onnx_path.stem
        declared(part)  # torch runs no other graph
        if options.device != "cpu" and not torch.cuda.is_available():
            raise BackendError(f"PyTorch finds no GPU for the device '{options.device}'; set device: cpu")
        spec = config.load(BundleSpec, onnx_path.with_name(SPEC_NAME))
        try:
            module = architectures.load(Bundle(onnx_path.parent, spec), part)
        except OSError as error:
            raise BundleError(f"cannot read the weights of {onnx_path}: {one_line(error)}; fetch them again") from None
        if options.device != "cpu":
            # The reference is exact: without these a GPU of today rounds float32 products to 10 bits.
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
        try:
            return cls(part, module.to(options.device, _DTYPES[options.precision]).eval(), spec, threads, options)
        except RuntimeError as error:  # out of memory, a device that is not there
            raise BackendError(f"PyTorch cannot use '{options.device}': {one_line(error)}") from None

    @property
    def io(self) -> ModelIo:
        return self._io

    def info(self) -> dict[str, Any]:
        gpu = self._device.type != "cpu"
        return {
            "backend": self.name,
            "version": torch.__version__,
            "device": f"{torch.cuda.get_device_name(self._device)} ({self._device})" if gpu else "cpu",
            "threads": self._threads,
            "precision": self._precision,
        }

    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        module = self._module
        if module is None:
            raise self._closed()
        if self._device.type == "cpu" and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # of this thread; another back end may have set it to its own
        try:
            with torch.inference_mode():
                given = [self._tensor(inputs[name]) for name in self._io.inputs]
                out = module(*given)
                found = out if isinstance(out, tuple) else (out,)
                return {name: value.float().cpu().numpy() for name, value in zip(self._io.outputs, found, strict=False)}
        except (RuntimeError, IndexError, ValueError) as error:  # what modules raise on shapes that do not fit
            raise BackendError(f"PyTorch failed: {one_line(error)}") from None

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        shared = array if array.flags.writeable and array.flags.c_contiguous else array.copy()
        return torch.from_numpy(shared).to(self._device, self._given)

    def close(self) -> None:
        self._module = None


KIND = TorchBackend
