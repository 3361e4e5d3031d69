"""Engines on disk: an engine is built once per graph, GPU and library, and a stale or damaged one is never used.

An engine only runs with the library and on the GPU that it was built with and on, so its name is a digest of all that
it depends on; the JSON beside it says what that was. Nothing here knows TensorRT.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..backends.base import BackendError
from ..bundle import sha256
from ..onnx_file import external_files

LOG = logging.getLogger(__name__)
Engine = TypeVar("Engine")
Facts = Mapping[str, Any]


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/wm_bringup/tensorrt``, by default in ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wm_bringup" / "tensorrt"


def graph_digest(onnx_path: Path) -> str:
    """sha256 of a graph and of the other files that its weights lie in. Raises BundleError where one cannot be read."""
    return sha256(onnx_path, *(onnx_path.parent / name for name in external_files(onnx_path)))


def key(facts: Facts) -> str:
    """A name for what is described by ``facts``, a mapping that JSON can hold."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


class EngineCache:
    """A folder of engines, which several processes may use at once. Raises BackendError if it cannot be written."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def engine(
        self,
        facts: Facts,
        build: Callable[[], tuple[bytes, dict[str, str]]],
        opened: Callable[[bytes], Engine | None],
    ) -> tuple[Engine, dict[str, str]]:
        """The engine that ``facts`` describe, and the notes that were taken when it was built.

        Args:
            facts: all that the engine depends on; JSON must be able to hold it.
            build: gives a serialized engine, and notes to keep with it. Of several processes that want the same
                engine one builds, and the others wait for it.
            opened: makes an engine of a serialized one, or None if it does not fit this machine: a miss.

        Raises BackendError if an engine that was just built cannot be opened, and what ``build`` raises.
        """
        name = key(facts)
        with self._locked(name):
            stored = self._read(name, facts)
            if stored is not None:
                engine = opened(stored[0])
                if engine is not None:
                    return engine, stored[1]
                LOG.warning("the engine %s does not fit this machine; it is built again", self._path(name, "plan"))
            plan, notes = build()
            engine = opened(plan)
            if engine is None:
                raise BackendError("the engine that was just built cannot be loaded; see the log for TensorRT's reason")
            self._write(self._path(name, "plan"), plan)
            record = {"facts": dict(facts), "notes": notes, "sha256": hashlib.sha256(plan).hexdigest()}
            self._write(self._path(name, "json"), json.dumps(record, indent=2, sort_keys=True).encode())
            return engine, notes

    def timing(self, machine: Facts) -> bytes:
        """What earlier builds on this machine measured, for the next build; empty if nothing is known."""
        try:
            return self._path(key(machine), "timing").read_bytes()
        except OSError:
            return b""

    def store_timing(self, machine: Facts, measured: bytes) -> None:
        """Keep the measurements of a build. Of two builds at once, those of the later one stay."""
        self._write(self._path(key(machine), "timing"), measured)

    def _read(self, name: str, facts: Facts) -> tuple[bytes, dict[str, str]] | None:
        """An engine and its notes, or None if there is none that is whole and has these facts."""
        try:
            record = json.loads(self._path(name, "json").read_bytes())
            plan = self._path(name, "plan").read_bytes()
            # Through JSON, as the stored facts went: tuples are lists there.
            if record["facts"] != json.loads(json.dumps(dict(facts))):
                raise ValueError("its description is of another engine")
            if record["sha256"] != hashlib.sha256(plan).hexdigest():
                raise ValueError("its sha256 differs")
            return plan, dict(record["notes"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            LOG.warning("the engine %s is damaged (%s); it is built again", self._path(name, "plan"), error)
            return None

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all."""
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=f".{path.name}.", delete=False) as file:
                temporary = Path(file.name)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise self._unusable(error) from None

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Alone with one engine, among all processes and threads; the lock ends with its process at the latest."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._path(name, "lock").open("w")
        except OSError as error:
            raise self._unusable(error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                LOG.info("waiting for another process that builds the same engine")
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:  # a file system without locks
                raise self._unusable(error) from None
            yield

    def _path(self, name: str, ending: str) -> Path:
        return self._folder / f"{name}.{ending}"

    def _unusable(self, error: OSError) -> BackendError:
        return BackendError(
            f"cannot write the engine cache {self._folder} ({error.strerror}); set cache to another folder"
        )
