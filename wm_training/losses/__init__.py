"""The terms of the training objective, one loss per file; another package adds one by an entry point."""

from __future__ import annotations

from .base import LOSSES, Loss, Window

__all__ = ["LOSSES", "Loss", "Window"]
