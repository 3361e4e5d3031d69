"""Inference back ends, one per file, which alone imports the library that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_core import config
from wm_core.errors import BundleError, ConfigError
from wm_core.kinds import Kinds

from .. import parts
from ..bundle import Bundle
from .base import Backend, BackendError, BackendUnavailableError

BACKENDS: Kinds[type[Backend]] = Kinds("back end", "wm_models.backends", error=BackendUnavailableError)

__all__ = [
    "BACKENDS",
    "Backend",
    "BackendError",
    "BackendUnavailableError",
    "available",
    "load_backend",
    "load_part",
    "options_of",
]


def load_part(backend: str, bundle: Bundle, part: str, *, threads: int = 1) -> Backend:
    """Load a part of a bundle with a back end.

    ``backend`` is its name, with options where it needs any: ``"torch:device=cuda,precision=bfloat16"``. So one word in
    a configuration says what runs. Raises BundleError where the bundle lacks the file that this back end runs, or where
    that is not what :mod:`wm_models.parts` and the bundle say, and what :func:`load_backend` raises.
    """
    name, options = _parsed(backend)
    suffix = BACKENDS.load(name).suffix
    if f"{part}{suffix}" not in bundle.spec.files:
        how = (
            "run 'wm models export' on it" if f"{part}.safetensors" in bundle.spec.files else "export it again with it"
        )
        raise BundleError(f"the bundle {bundle.path} has no {part}{suffix} for the back end '{name}'; {how}")
    path = bundle.path / f"{part}.onnx"
    loaded = load_backend(name, path, threads=threads, options=options)
    try:
        parts.check(loaded, part, bundle.spec, path)
    except BaseException:
        loaded.close()
        raise
    return loaded


def options_of(backend: str) -> tuple[str, Any]:
    """The name of a back end, and the ``options_class`` of what is said behind it; see :func:`load_part`.

    Raises what :func:`load_backend` raises.
    """
    name, options = _parsed(backend)
    return name, _options(name, options)


def _parsed(backend: str) -> tuple[str, dict[str, Any]]:
    name, _, words = backend.partition(":")
    options: dict[str, Any] = {}
    for word in filter(None, words.split(",")):
        key, value = config.assignment(word, f"the back end '{backend}'")
        if key in options:
            raise ConfigError(f"'{word}' in the back end '{backend}' gives that option a second time; remove one")
        options[key] = value
    return name, options


def _options(name: str, options: Mapping[str, Any]) -> Any:
    kind = BACKENDS.load(name)
    return config.from_dict(kind.options_class, dict(options), f"the configuration of the back end '{name}'")


def load_backend(
    name: str, onnx_path: str | Path, *, threads: int = 1, options: Mapping[str, Any] | None = None
) -> Backend:
    """Load one part of a model, ``<bundle>/<part>.onnx``, with the named back end.

    ``options`` are the fields of the back end's ``options_class``; what is left out has its default.

    Raises BackendUnavailableError if the name is unknown or its library is not installed, ConfigError on an unknown
    option or a wrong value, and what ``load`` raises. Another back end is never taken instead.
    """
    if threads < 1:
        raise BackendError(f"a back end needs at least one thread, not {threads}")
    return BACKENDS.load(name).load(Path(onnx_path), threads=threads, options=_options(name, options or {}))


def available() -> dict[str, str]:
    """For each back end an empty string, or the sentence that says why it is not here and what to install.

    Imports every library that is installed, which takes seconds. Whether there is a GPU is not asked.
    """
    found = {}
    for name in BACKENDS:
        try:
            BACKENDS.load(name)
            found[name] = ""
        except BackendUnavailableError as error:
            found[name] = str(error)
    return found
