"""Arms, one kind per file, behind the port of base.py; grippers/ holds what opens and closes."""

from __future__ import annotations

from .base import ARMS, Arm, ArmConfig

__all__ = ["ARMS", "Arm", "ArmConfig"]
