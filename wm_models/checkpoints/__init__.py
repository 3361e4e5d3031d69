"""Published checkpoints, one reader per family of models: from an upstream file to all that a bundle needs.

Nothing is downloaded: :class:`Reader` says where the files come from. torch is imported only once one is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_core import config, install
from wm_core.errors import BundleError
from wm_core.kinds import Kinds

from .base import Imported, Reader

__all__ = ["READERS", "Imported", "Reader", "read"]

READERS: Kinds[Reader] = Kinds("checkpoint reader", "wm_models.checkpoints", error=BundleError)


def read(name: str, path: str | Path, options: Mapping[str, Any] | None = None) -> Imported:
    """Read the file ``path`` with the reader ``name``; ``options`` say what the file does not, see its ``Options``.

    Raises ConfigError on an option that the reader does not have, BundleError on a file that it cannot use or where
    PyTorch is missing.
    """
    reader = READERS.load(name)
    given = config.from_dict(reader.options, dict(options or {}), f"the options of '{name}'")
    try:
        return reader.read(path, given)
    except ImportError as error:
        raise BundleError(f"cannot read a checkpoint with '{name}' ({error}){install.advice(error)}") from None
