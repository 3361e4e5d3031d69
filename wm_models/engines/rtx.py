"""Would TensorRT take this graph? A check that needs no GPU, by parsing and building it with TensorRT-RTX.

``tensorrt_rtx`` has the parser and the builder of the TensorRT 11 generation, and builds for a GPU that is not there.
That a graph passes says that it parses and builds. It says nothing about its numbers, its speed, or what another
version of TensorRT makes of it.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

from wm_core import install
from wm_core.errors import ConfigError

from ..backends.base import BackendUnavailableError
from .plan import Limits, build


def check_build(
    onnx_path: str | Path,
    *,
    compute_capability: str = "8.9",
    max_batch: int = 256,
    opt_batch: int | None = None,
    max_window: int | None = None,
) -> dict[str, Any]:
    """Parse a graph and build its engine for a GPU of ``compute_capability`` (8.9: RTX 40), and throw it away.

    The sizes are those of the tensorrt back end's ``Options``.

    Returns what built it: ``library``, ``version``, ``compute_capability``, the ``precision`` of the engine's heavy
    layers, ``engine_bytes``, and ``seconds``.
    Raises BackendUnavailableError if TensorRT-RTX is not installed, ConfigError on a compute capability that it does
    not know, and BundleError with its reasons if the graph does not parse or build.
    """
    try:
        import tensorrt_rtx as trt
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(f"the check needs tensorrt_rtx ({error}){install.advice(error)}") from None
    target = getattr(trt.ComputeCapability, "SM" + compute_capability.replace(".", ""), None)
    if target is None:
        known = sorted(name[2:] for name in trt.ComputeCapability.__members__ if name.startswith("SM"))
        raise ConfigError(
            f"TensorRT-RTX builds for the compute capabilities {', '.join(f'{n[:-1]}.{n[-1]}' for n in known)}, "
            f"not {compute_capability}"
        )
    start = time.monotonic()
    path = Path(onnx_path)
    plan = build(trt, path, Limits.of(path, max_batch, opt_batch, max_window), functools.partial(_for_gpu, target))
    return {
        "library": "tensorrt_rtx",
        "version": trt.__version__,
        "compute_capability": compute_capability,
        "precision": plan.precision,
        "engine_bytes": len(plan.data),
        "seconds": time.monotonic() - start,
    }


def _for_gpu(target: Any, settings: Any) -> None:
    settings.num_compute_capabilities = 1
    settings.set_compute_capability(target, 0)
