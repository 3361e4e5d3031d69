"""Formats of data sets, one per file, chosen by name; another package adds one by an entry point."""

from __future__ import annotations

from pathlib import Path

from wm_core.kinds import Kinds

from .base import DataFormat

__all__ = ["DEFAULT", "FORMATS", "DataFormat", "opened"]

FORMATS: Kinds[type[DataFormat]] = Kinds("data format", "wm_data.formats")
DEFAULT = "shards"


def opened(folder: str | Path, kind: str = DEFAULT) -> DataFormat:
    """The data set in ``folder``, or the place for one. Raises ConfigError if there is no such format."""
    return FORMATS.load(kind)(folder)
