"""Where the package's data lie, and where runs go."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from wm_core.errors import WmError

DEFAULT_BUNDLE = "panda_pick_place"


def share() -> Path:
    """The folder that holds ``config/`` and ``models/``: the repository, or ``share/wm_bringup`` once installed."""
    root = Path(__file__).resolve().parent.parent
    candidates = [root, *(parent / "share" / "wm_bringup" for parent in (*root.parents, Path(sys.prefix)))]
    for folder in candidates:
        if (folder / "package.xml").is_file() and (folder / "config").is_dir():
            return folder
    raise WmError("the data of wm_bringup (config, models) are not installed; install the package again")


def bundle_folder(name: str) -> Path:
    """A bundle by name, below ``models/``, or by path. Whether it exists and is sound is for its loader to say."""
    path = Path(name)
    return path if path.is_dir() or len(path.parts) > 1 else share() / "models" / name


def preset(node: str, name: str) -> Path:
    """The shipped configuration ``name`` of a node; it need not exist."""
    return share() / "config" / node / f"{name}.yaml"


def new_run_folder(parent: str | Path = "runs") -> Path:
    """Make and return ``runs/<date>_<time>``; a number follows if that exists already. Raises WmError."""
    stamp = time.strftime("%Y%m%d_%H%M%S")
    for number in range(100):
        folder = Path(parent) / (stamp if number == 0 else f"{stamp}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise WmError(f"cannot make the folder {folder}: {error.strerror}") from None
        return folder.resolve()
    raise WmError(f"too many runs at once in {parent}")
