"""What a planner may ask of a world model: five questions about latents that stay where the model lives.

``base.py`` says what they are; ``host.py`` answers with any back end, ``device.py`` with PyTorch, all on one device.
"""

from __future__ import annotations

from wm_core.axes import Axes

from ..backends import load_part, options_of
from ..bundle import Bundle
from ..world_model import WorldModel
from .base import Handle, Imagination, Parts, Proposed
from .host import HostImagination

__all__ = ["Handle", "HostImagination", "Imagination", "Proposed", "load"]


def load(
    bundle: Bundle,
    backend: str = "onnxruntime",
    threads: int = 1,
    memory_mb: float = 1024.0,
    axes: Axes | None = None,
) -> Imagination:
    """The imagination of a bundle.

    Args:
        backend: that of its predictor, with options if any; see :func:`wm_models.backends.load_part`. PyTorch keeps
            all that is imagined on its device, every other one passes it through numpy.
        threads: CPU threads of each part.
        memory_mb: candidates are imagined so many at a time that they fit into this, weights not counted.
        axes: how the model's axes lie for the camera.

    Raises BundleError where the bundle lacks what the back end runs, BackendError where that cannot be had, ConfigError
    on a back end or an option that is not known, or axes that this model cannot be turned by.
    """
    parts = Parts(lambda part: load_part(backend, bundle, part, threads=threads))
    name, options = options_of(backend)
    if name == "torch":
        from .device import DeviceImagination

        return DeviceImagination.load(bundle, options, threads, memory_mb, axes, parts)
    model = WorldModel(bundle, backend, threads, parts=("predictor",), memory_mb=memory_mb)
    return HostImagination(model, axes, parts)
