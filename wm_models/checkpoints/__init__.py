"""Published checkpoints, one reader per family of models: from an upstream file to all that a bundle needs.

Nothing is downloaded: :class:`Reader` says where the files come from. torch is imported only once one is read.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_core import install
from wm_core.errors import BundleError, ConfigError
from wm_core.kinds import Kinds
from wm_core.names import unknown

from .base import Imported, Reader

__all__ = ["READERS", "Imported", "Reader", "read"]

READERS: Kinds[Reader] = Kinds("checkpoint reader", "wm_models.checkpoints", error=BundleError)


def read(name: str, path: str | Path, options: Mapping[str, Any] | None = None) -> Imported:
    """Read the file ``path`` with the reader ``name``; ``options`` say what the file does not, see each ``read``.

    Raises ConfigError on an option that the reader does not have, BundleError on a file that it cannot use or where
    PyTorch is missing.
    """
    reader, options = READERS.load(name), dict(options or {})
    known = list(inspect.signature(reader.read).parameters)[1:]
    for option in options:
        if option not in known:
            raise ConfigError(unknown(f"option of {name} by the name", option, known))
    try:
        return reader.read(path, **options)
    except ImportError as error:
        raise BundleError(f"cannot read a checkpoint with '{name}' ({error}){install.advice(error)}") from None
