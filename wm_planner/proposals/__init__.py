"""Starts for the search, learned or searched on a GPU, one kind per file."""

from __future__ import annotations

from wm_core.limits import Limits
from wm_models.bundle import Bundle
from wm_models.search import SearchConfig

from .base import Proposal
from .onnx import OnnxProposal
from .search import SearchProposal

__all__ = ["OnnxProposal", "Proposal", "SearchProposal", "bundled"]


def bundled(
    bundle: Bundle,
    wanted: bool,
    backend: str = "onnxruntime",
    threads: int = 1,
    search: SearchConfig | None = None,
    limits: Limits | None = None,
) -> OnnxProposal | SearchProposal | None:
    """A search on a device within ``limits`` if ``search`` is given, else the bundle's learned proposal if ``wanted``.

    Raises BundleError where the bundle has not what that needs, BackendError where it cannot run.
    """
    if search is not None:
        return SearchProposal(bundle, search, Limits() if limits is None else limits, threads)
    return OnnxProposal(bundle, backend, threads) if wanted else None
