"""What holds a plan back although it is feasible, one gate per file. The guardrails are not among them."""

from __future__ import annotations

from .base import GATES, Gate, Moment

__all__ = ["GATES", "Gate", "Moment"]
