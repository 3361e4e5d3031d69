"""A file to which a run adds one line of JSON for each thing that it has finished, and from which it goes on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from wm_core import results
from wm_core.errors import WmError


class Ledger:
    """Open for one run at a time; a context manager. What a kill has left half written is dropped.

    Attributes:
        lines: what the file holds, in order.
    Raises:
        WmError: the file cannot be used, another run is writing to it, or a whole line is no JSON.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.lines: list[dict[str, Any]] = []
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab+", buffering=0)
        except OSError as error:
            raise WmError(f"cannot write {self.path}: {error.strerror}; choose another place") from None
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WmError(f"another run is writing to {self.path}; wait for it, or choose another file") from None
        self._file.seek(0)
        whole, newline, _half = self._file.read().rpartition(b"\n")
        for number, text in enumerate(whole.split(b"\n") if newline else (), 1):
            line = None
            with contextlib.suppress(ValueError):
                line = json.loads(text)
            if not isinstance(line, dict):
                raise WmError(f"line {number} of {self.path} is damaged; remove it, and what it told is done again")
            self.lines.append(line)
        self._file.truncate(len(whole) + len(newline))

    def add(self, line: dict[str, Any]) -> None:
        """Write a line; it is on the disk when this returns. Raises WmError if that cannot be done."""
        try:
            self._file.write((results.to_json(line, indent=None) + "\n").encode())
            os.fsync(self._file.fileno())
        except OSError as error:
            raise WmError(f"cannot write {self.path}: {error.strerror}; free the space and go on") from None
        self.lines.append(line)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
