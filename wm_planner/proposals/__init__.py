"""Learned starts for the search, one kind per file."""

from __future__ import annotations

from wm_models.bundle import Bundle

from .base import Proposal
from .onnx import OnnxProposal

__all__ = ["OnnxProposal", "Proposal", "bundled"]


def bundled(bundle: Bundle, wanted: bool, backend: str = "onnxruntime", threads: int = 1) -> OnnxProposal | None:
    """The bundle's proposal if ``wanted``. Raises BundleError where the bundle has none."""
    return OnnxProposal(bundle, backend, threads) if wanted else None
