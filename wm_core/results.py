"""Files with results: JSON that every reader takes, never half written, and a place that is checked before the work."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .errors import WmError


def plain(value: Any) -> Any:
    """``value`` in what JSON has: null for NaN and infinity, lists for tuples and arrays, text for all that is left."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def to_json(value: Any, indent: int | None = 2) -> str:
    """``value`` as JSON text; see :func:`plain`."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as JSON (see :func:`plain`). What stood there stays whole until the new file is.

    Raises WmError, with what was there untouched, if it cannot be written.
    """
    write_bytes(path, (to_json(value) + "\n").encode("utf-8", "backslashreplace"))


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a whole file or nothing, by way of a file beside it. Raises WmError."""
    path = Path(path).resolve()  # a link stays one: the file that it names is replaced
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe or a device has nothing to keep, and must not be replaced
            return
        with _beside(path) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a full disk may say so only here
            os.chmod(file.name, 0o666 & ~_umask())
            os.replace(file.name, path)
    except OSError as error:
        raise WmError(f"cannot write {path}: {error.strerror}; free the space or choose another place") from None


def check_writable(path: str | Path) -> None:
    """Raises WmError if a file could not be written to ``path`` now: asked before the work whose result goes there."""
    path = Path(path).resolve()
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.is_file():
            with _beside(path) as file:
                file.write(b"\0")
    except OSError as error:
        raise WmError(f"cannot write {path}: {error.strerror}; choose another place") from None


@contextlib.contextmanager
def _beside(path: Path) -> Any:
    """A new file in the folder of ``path``; removed at the end if it is still there."""
    file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", delete=False)  # noqa: SIM115
    try:
        with file:
            yield file
    finally:
        with contextlib.suppress(OSError):
            os.unlink(file.name)


def _umask() -> int:
    """The process's mask of file modes; the system only tells the old one when a new one is set."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
