"""Goal pictures: one folder, one picture per sub-goal, in the order of their numbered names; or a single picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_core.errors import GoalError, quoted
from wm_core.pictures import read_header

#: What OpenCV reads everywhere.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
#: 4K UHD. Goals are to come from the robot's own camera, and every pixel of them travels to the encoder.
MAX_PIXELS = 3840 * 2160
#: So many of the files that are not looked at are named.
NAMED = 5


def load_goals(path: str | Path, say: Callable[[str], object] = lambda _: None) -> list[NDArray[np.uint8]]:
    """The pictures of a folder as RGB arrays (height, width, 3), ``goal_2.png`` before ``goal_10.png``.

    Args:
        path: the folder, or one picture, which is then the only goal.
        say: called with a sentence that names the files in the folder that are not looked at, if there are any.

    Raises GoalError, which names the folder or file, on a missing or empty folder or a picture that cannot be read.
    """
    path = Path(path)
    try:
        str(path).encode()
    except UnicodeEncodeError:  # ROS cannot pass it on
        raise GoalError(f"the name {quoted(path)} of the goal pictures is not UTF-8; rename it") from None
    try:
        if path.is_file():
            if path.suffix.lower() not in SUFFIXES:
                raise GoalError(f"{quoted(path, 200)} is no goal picture; those end in {_any(SUFFIXES)}")
            return [_read(path)]
        if not path.is_dir():
            raise GoalError(
                f"there is no folder of goal pictures at {quoted(path, 200)}; record one per sub-goal there"
            )
        files = sorted((file for file in path.iterdir() if file.name[0] != "."), key=natural_key)
    except OSError as error:
        raise GoalError(f"cannot list the goal pictures in {quoted(path, 200)}: {error.strerror}") from None
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        raise GoalError(f"{quoted(path, 200)} holds no goal pictures; put one {_any(SUFFIXES)} file per sub-goal there")
    if others := [file for file in files if file not in pictures]:
        names = ", ".join(quoted(file.name) for file in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        say(f"in {quoted(path, 200)} these are no goal pictures and are not looked at: {names}{more}")
    return [_read(file) for file in pictures]


def natural_key(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Sort key under which numbers in a name count as numbers."""
    parts = re.split(r"([0-9]+)", path.name.lower())  # every second one is a number
    return [(k % 2 == 1, int(part) if k % 2 else 0, part) for k, part in enumerate(parts)], path.name


def _read(path: Path) -> NDArray[np.uint8]:
    named = f"the goal picture {quoted(path, 200)}"
    try:
        if not path.is_file():
            raise GoalError(f"{named} is not a file; remove it")
        data = path.read_bytes()
    except OSError as error:
        raise GoalError(f"cannot read {named}: {error.strerror}") from None
    # OpenCV fills a JPEG that was cut short with grey, and says nothing.
    cut = False
    try:
        header = read_header(data)
        cut = not header.whole
        _check_size(named, header.width, header.height)
    except ValueError:
        pass  # another kind of picture
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR) if data and not cut else None
    except cv2.error:
        image = None
    if image is None:
        raise GoalError(f"{named} is damaged or not a picture; record it again or remove it")
    _check_size(named, image.shape[1], image.shape[0])
    return np.ascontiguousarray(image[..., ::-1])


def _check_size(named: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise GoalError(f"{named} has {width} x {height} pixels, more than 4K UHD; record it with the robot's camera")


def _any(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
