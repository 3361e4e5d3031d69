"""Where bundles and presets lie, and where runs go."""

from __future__ import annotations

import time
from pathlib import Path

from wm_core.errors import WmError
from wm_core.share import share

DEFAULT_BUNDLE = "panda_pick_place"


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
