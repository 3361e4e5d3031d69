"""Where a camera's frames come from, one kind per file."""

from __future__ import annotations

from .base import SOURCES, Frame, FrameSource, SourceConfig, SourceError

__all__ = ["SOURCES", "Frame", "FrameSource", "SourceConfig", "SourceError"]
