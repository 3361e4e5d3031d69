"""What a plan is worth, one cost per file."""

from __future__ import annotations

from .base import Cost
from .goal import GoalEnergy
from .gripper import GripperSwitch
from .smoothness import Smoothness
from .trust import Trust

__all__ = ["Cost", "GoalEnergy", "GripperSwitch", "Smoothness", "Trust"]
