"""How models are trained, one recipe per file; another package adds one by an entry point. Needs no PyTorch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wm_core.errors import WmError
from wm_core.kinds import Kinds

if TYPE_CHECKING:
    from .base import Recipe

__all__ = ["RECIPES"]

RECIPES: Kinds[type[Recipe]] = Kinds("recipe", "wm_training.recipes", error=WmError)
