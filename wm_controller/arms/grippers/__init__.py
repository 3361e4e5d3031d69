"""Grippers, one kind per file, behind the port of base.py."""

from __future__ import annotations

from .base import GRIPPERS, Gripper, GripperConfig, ScaledConfig

__all__ = ["GRIPPERS", "Gripper", "GripperConfig", "ScaledConfig"]
