"""What every inference back end offers, and the errors it may raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import ConfigError, WmError

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


@dataclass(frozen=True)
class NoOptions:
    """The options of a back end that has none."""


class Backend(ABC):
    """One loaded part of a model, ready to run. ``infer`` may be called from any thread."""

    #: The name under which :func:`wm_models.backends.load_backend` knows this back end.
    name: ClassVar[str]
    #: What can be chosen besides the number of threads: a frozen dataclass, every field with a default.
    options_class: ClassVar[type[Any]] = NoOptions
    #: Which file of a part it runs.
    suffix: ClassVar[str] = ".onnx"

    @classmethod
    @abstractmethod
    def load(cls, onnx_path: Path, *, threads: int, options: Any) -> Backend:
        """Load a graph to run on ``threads`` threads; ``options`` is a ``cls.options_class``.

        Raises BundleError where the file is not a graph that this back end can run, BackendError otherwise.
        """

    @property
    @abstractmethod
    def io(self) -> ModelIo:
        """The graph's inputs and outputs."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """What runs: ``backend``, its ``version``, ``device``, ``threads``, the ``precision`` it really computes in."""

    @abstractmethod
    def _run(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        """Run the graph once on inputs that have been checked. Raises BackendError where that fails."""

    @abstractmethod
    def close(self) -> None:
        """Free what the back end holds. Calling it twice does no harm; ``infer`` may not be called any more."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Tensors:
        """Run the graph once: arrays by input name -> arrays by output name. Contiguous inputs are not copied.

        Raises ValueError on a missing or unknown input, another dtype or shape, or batches that differ; BackendError if
        it fails.
        """
        wanted = self.io.inputs
        if inputs.keys() != wanted.keys():
            raise ValueError(f"the graph needs the inputs {sorted(wanted)}, not {sorted(inputs)}")
        for name, array in inputs.items():
            if array.dtype != wanted[name].dtype:
                raise ValueError(f"input '{name}' must be {wanted[name].dtype}, not {array.dtype}")
            if not wanted[name].accepts(array.shape):
                raise ValueError(f"input '{name}' must have the shape {wanted[name].shape}, not {array.shape}")
        # The free dimensions are the batch and, in a predictor of windows, the frames. Not every library would notice.
        for axis, meaning in ((0, "batch"), (1, "window")):
            free = (name for name, tensor in wanted.items() if tensor.shape[axis : axis + 1] == (None,))
            sizes = {inputs[name].shape[axis] for name in free}
            if len(sizes) > 1:
                raise ValueError(f"the graph needs inputs of one {meaning}, not {sorted(sizes)}")
        return self._run(inputs)

    def warmup(self, batch: int = 1) -> Tensors:
        """Run once on zeros, so that the first real call is not the slow one.

        A free first dimension is ``batch``, any other free one (a window of frames) is 1, which every model takes.
        Returns the outputs, whose shapes a caller can check.
        """
        return self.infer(
            {
                name: np.zeros(
                    [size if size is not None else batch if axis == 0 else 1 for axis, size in enumerate(tensor.shape)],
                    dtype=tensor.dtype,
                )
                for name, tensor in self.io.inputs.items()
            }
        )

    def _closed(self) -> BackendError:
        return BackendError(f"the {self.name} back end is closed; load the model again")


def choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises ConfigError unless the option ``name`` has one of the values ``choices``."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not '{value}'")
