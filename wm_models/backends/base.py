"""What every inference back end offers, and the errors it may raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError

Tensors = dict[str, NDArray[Any]]


class BackendError(WmError):
    """A back end cannot do what was asked; there is never a silent fallback to another one."""


class BackendUnavailableError(BackendError):
    """The back end is not known, or the library that it needs is not installed."""


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: its shape, with None for a free dimension, and its dtype as numpy names it."""

    shape: tuple[int | None, ...]
    dtype: str

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape fits."""
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class ModelIo:
    """A graph's inputs and outputs, by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]


class Backend(ABC):
    """One loaded ONNX graph, ready to run. ``infer`` may be called from any thread."""

    #: The name under which :func:`wm_models.backends.load_backend` knows this back end.
    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def load(cls, onnx_path: Path, *, threads: int) -> Backend:
        """Load a graph to run on ``threads`` threads.

        Raises BundleError where the file is not a graph that this back end can run, BackendError otherwise.
        """

    @property
    @abstractmethod
    def io(self) -> ModelIo:
        """The graph's inputs and outputs."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """What runs: back end, its version, device, threads, and the precision that is really computed in."""

    @abstractmethod
    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        """Run the graph once on inputs that have been checked. Raises BackendError where that fails."""

    @abstractmethod
    def close(self) -> None:
        """Free what the back end holds. Calling it twice does no harm; ``infer`` may not be called any more."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        """Run the graph once: arrays by input name -> arrays by output name. Contiguous inputs are not copied.

        Raises ValueError on a missing or unknown input, another dtype or another shape; BackendError if it fails.
        """
        wanted = self.io.inputs
        if inputs.keys() != wanted.keys():
            raise ValueError(f"the graph needs the inputs {sorted(wanted)}, not {sorted(inputs)}")
        for name, array in inputs.items():
            if array.dtype != wanted[name].dtype:
                raise ValueError(f"input '{name}' must be {wanted[name].dtype}, not {array.dtype}")
            if not wanted[name].accepts(array.shape):
                raise ValueError(f"input '{name}' must have the shape {wanted[name].shape}, not {array.shape}")
        return self._run(inputs)

    def warmup(self, batch: int = 1) -> Tensors:
        """Run once on zeros, with ``batch`` for every free dimension, so that the first real call is not the slow one.

        Returns the outputs, whose shapes a caller can check.
        """
        return self.infer(
            {
                name: np.zeros([batch if size is None else size for size in tensor.shape], dtype=tensor.dtype)
                for name, tensor in self.io.inputs.items()
            }
        )
