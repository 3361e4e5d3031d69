"""Where the package's data lie."""

from __future__ import annotations

import sys
from pathlib import Path

from .errors import WmError


def share() -> Path:
    """The folder that holds ``config/`` and ``models/``: the repository, or ``share/wm_bringup`` once installed."""
    root = Path(__file__).resolve().parent.parent
    candidates = [root, *(parent / "share" / "wm_bringup" for parent in (*root.parents, Path(sys.prefix)))]
    for folder in candidates:
        if (folder / "package.xml").is_file() and (folder / "config").is_dir():
            return folder
    raise WmError("the data of wm_bringup (config, models) are not installed; install the package again")
