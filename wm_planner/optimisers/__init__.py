"""Search methods, one per file."""

from __future__ import annotations

from .base import Optimiser, Problem, Proposed, Solution
from .cem import Cem, CemConfig

__all__ = ["Cem", "CemConfig", "Optimiser", "Problem", "Proposed", "Solution"]
