"""One module per subcommand of ``wm``; see :mod:`wm_bringup.cli`."""

from __future__ import annotations

import os
from pathlib import Path

from wm_core.errors import WmError


def refuse_to_replace(path: Path, force: bool, what: str = "it") -> None:
    """Raise WmError where ``path`` exists, and is not an empty folder, unless ``force``."""
    there = os.path.lexists(path)
    if there and not force and not (path.is_dir() and not any(path.iterdir())):
        raise WmError(f"{path} exists already; choose another --out, or replace {what} with --force")
