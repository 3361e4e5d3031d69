"""What a plan is worth, one cost per file: each a function of actions, poses, and what the model says of them."""

from __future__ import annotations

from .base import COSTS, Candidates, Cost, Query

__all__ = ["COSTS", "Candidates", "Cost", "Query"]
