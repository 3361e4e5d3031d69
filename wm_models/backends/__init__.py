"""Inference back ends: each in its own file, which alone imports the library that it needs."""

from __future__ import annotations

import importlib
from pathlib import Path

from .base import Backend, BackendError, BackendUnavailableError

#: Name -> (module, class). A module is imported only when its back end is asked for.
BACKENDS = {"onnxruntime": ("wm_models.backends.onnxruntime", "OnnxRuntimeBackend")}

__all__ = ["BACKENDS", "Backend", "BackendError", "BackendUnavailableError", "load_backend"]


def load_backend(name: str, onnx_path: str | Path, *, threads: int = 1) -> Backend:
    """Load an ONNX file with the named back end.

    Raises BackendUnavailableError if the name is unknown or its library is not installed, and what ``load`` raises.
    Another back end is never taken instead.
    """
    if name not in BACKENDS:
        raise BackendUnavailableError(f"there is no back end '{name}'; choose one of: {', '.join(sorted(BACKENDS))}")
    if threads < 1:
        raise BackendError(f"a back end needs at least one thread, not {threads}")
    module, class_name = BACKENDS[name]
    try:
        backend: type[Backend] = getattr(importlib.import_module(module), class_name)
    except ImportError as error:
        raise BackendUnavailableError(f"the back end '{name}' cannot be loaded ({error}); install {name}") from None
    return backend.load(Path(onnx_path), threads=threads)
