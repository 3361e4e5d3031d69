"""One module per subcommand of ``wm``; see :mod:`wm_bringup.cli`."""

from __future__ import annotations

import os
from pathlib import Path

from wm_core.errors import WmError


def refuse_to_replace(path: Path, force: bool) -> None:
    """Raise WmError where ``path`` exists, and is not an empty folder, unless ``force``. Asked before the work."""
    empty = path.is_dir() and not any(path.iterdir())
    if os.path.lexists(path) and not empty and not force:
        raise WmError(f"{path} exists already; choose another place for it, or replace it with --force")
