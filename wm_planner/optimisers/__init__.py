"""Searches for the cheapest feasible plan, one kind per file."""

from __future__ import annotations

from .base import OPTIMISERS, Optimiser, OptimiserConfig, Problem, Solution

__all__ = ["OPTIMISERS", "Optimiser", "OptimiserConfig", "Problem", "Solution"]
