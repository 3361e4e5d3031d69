"""Goal images: one folder, one image per sub-goal, in the order of their numbered names."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_core.errors import GoalError

SUFFIXES = (".png", ".jpg", ".jpeg")


def load_goals(folder: str | Path) -> list[NDArray[np.uint8]]:
    """The images of a folder as RGB arrays (height, width, 3), ``goal_2.png`` before ``goal_10.png``.

    Raises GoalError, which names the folder or file, on a missing or empty folder or an image that cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise GoalError(f"there is no folder of goal images at {folder}; record one image per sub-goal there")
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    except OSError as error:
        raise GoalError(f"cannot list the goal images in {folder}: {error.strerror}") from None
    if not found:
        raise GoalError(f"{folder} holds no goal images; put one {' or '.join(SUFFIXES)} file per sub-goal there")
    return [_read(path) for path in sorted(found, key=natural_key)]


def natural_key(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key under which numbers in a name count as numbers."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts], path.name


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise GoalError(f"cannot read the goal image {path}: {error.strerror}") from None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise GoalError(f"the goal image {path} is damaged or not an image; record it again or remove it")
    return np.ascontiguousarray(image[..., ::-1])
