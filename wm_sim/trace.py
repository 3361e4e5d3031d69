"""The joint positions of a run, from which ``wm picture`` draws it again."""

from __future__ import annotations

import os

import numpy as np

from wm_core.errors import WmError
from wm_core.pose import Array


class Trace:
    """Kept in memory, written at the end. Raises WmError at once if ``path`` (.npz) cannot be written."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rows: list[Array] = []
        if not path.endswith(".npz"):
            raise WmError(f"the trace {path!r} must be named *.npz")
        if not os.access(os.path.dirname(path) or ".", os.W_OK | os.X_OK) or os.path.isdir(path):
            raise WmError(f"cannot write the trace {path!r}: name a file in a folder that you may write to")

    def add(self, qpos: Array) -> None:
        """All joints of the scene ``(n,)`` at one moment."""
        self._rows.append(qpos.copy())

    def write(self) -> str:
        """Returns why it was not written, or ""; nothing is written of a run without a picture."""
        if not self._rows:
            return ""
        try:
            np.savez_compressed(self._path, qpos=np.stack(self._rows))
        except OSError as error:
            return f"the trace {self._path!r} was not written: {error.strerror}"
        return ""
