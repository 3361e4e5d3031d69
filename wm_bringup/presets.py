"""Which YAML files configure a node: the shipped preset, and over it the file of a person's own folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wm_core.config import load, merge, read_layers
from wm_core.errors import ConfigError, quoted
from wm_core.names import nearest, unknown
from wm_core.share import share
from wm_models.bundle import SPEC_NAME, BundleSpec

from . import paths

YAML = (".yaml", ".yml")


def arms() -> dict[str, Path]:
    """The shipped presets of arms by name."""
    return _shipped("arms")


def _shipped(folder: str) -> dict[str, Path]:
    return {file.stem: file for file in sorted((share() / "config" / folder).glob("*.yaml"))}


def arm(name: str) -> Path:
    """The preset of an arm: one of config/arms by name, or a person's own file. Raises ConfigError."""
    return _preset("arm", name)


def _preset(what: str, name: str) -> Path:
    folder = _FOLDERS[what]
    if name.endswith(YAML) and (Path(name).is_file() or len(Path(name).parts) > 1):
        if not Path(name).is_file():
            raise ConfigError(f"there is no {what} preset at {name}; give a file, or a name from config/{folder}")
        return Path(name).resolve()
    known = _shipped(folder)
    if name not in known:
        raise ConfigError(unknown(f"{what} preset", name, known))
    return known[name].resolve()


_FOLDERS = {"arm": "arms", "planner": "planner"}


def check_folder(folder: Path, nodes: Collection[str], beside: Collection[Path]) -> None:
    """Refuse a configuration folder that does not exist, or has something in it that looks read and is not.

    That is a YAML file, or one that is named like a node's, which no node reads; and a node's that is no readable file,
    such as a link to nothing. A folder that says nothing is refused, too: who gives it believes its limits to hold.
    ``beside``: files that are read as something else, such as the arm's preset. Raises ConfigError.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no configuration folder {folder}; it should hold files such as planner.yaml")
    known = [f"{node}.yaml" for node in nodes]
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name[-1] != "~")
    except OSError as error:
        raise ConfigError(f"cannot list the configuration folder {folder}: {error.strerror}") from None
    for path in found:
        if path.name in known:
            _check_file(path)
        elif _looks_read(path, nodes) and path.resolve() not in beside:
            near = nearest(_stem(path), nodes)
            advice = f"did you mean '{near}.yaml'?" if near else "rename or remove it"
            if path.suffix in YAML and path.is_file():
                advice += f" If it is the arm's preset, give it as such: arm:={path} (wm: --arm {path})"
            raise ConfigError(f"nobody reads {quoted(str(path), 200)}; {advice} (files: {', '.join(sorted(known))})")
    if not any(path.name in known or path.resolve() in beside for path in found):
        raise ConfigError(
            f"the configuration folder {folder} has none of the files {', '.join(sorted(known))}; give the folder that "
            "has one, or leave it out"
        )


def _check_file(path: Path) -> None:
    why = ""
    try:
        if path.is_file():
            path.open("rb").close()
        else:
            why = "a folder" if path.is_dir() else "a link to nothing" if not path.exists() else "no regular file"
            why = f"it is {why}"
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise ConfigError(f"{path} cannot be read: {why}; mend or remove it")


def _looks_read(path: Path, nodes: Collection[str]) -> bool:
    """Whether someone who put ``path`` there may believe that a node reads it."""
    suffix = path.suffix.strip().lower()
    return suffix in YAML or (_stem(path) in nodes and suffix in _TYPED and not path.is_dir())


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].strip().lower()


#: What configuration files are also called, by mistake, or by an editor that adds an ending of its own.
_TYPED = ("", ".json", ".toml", ".ini", ".cfg", ".conf", ".txt")


def planner(bundle: Path, instead: str | None = None) -> Path | None:
    """The preset that a bundle names for its planner; None if it names none, or there is no bundle.

    ``instead``: the one to take in any case, a name from config/planner or a person's own file. Raises ConfigError
    where the bundle's specification cannot be read, or there is no such preset.
    """
    if instead is not None:
        return _preset("planner", instead)
    if not (bundle / SPEC_NAME).is_file():
        return None  # whoever loads it says so
    spec = load(BundleSpec, bundle / SPEC_NAME)
    if not spec.planner:
        return None
    if spec.planner in spec.files:
        return bundle / spec.planner
    try:
        return _preset("planner", spec.planner)
    except ConfigError as error:
        raise ConfigError(f"{bundle / SPEC_NAME}: planner: {error}") from None


def files(node: str, mode: str, folder: Path | None, shipped: Mapping[str, Path | None]) -> tuple[Path, ...]:
    """The files of a node, the lowest layer first; ``shipped`` are the presets of those that do not go by the mode."""
    lowest = shipped[node] if node in shipped else paths.preset(node, mode if mode == "real" else "sim")
    own = None if folder is None else folder / f"{node}.yaml"
    return tuple(path.resolve() for path in (lowest, own) if path is not None and path.is_file())


def said(layers: Iterable[Path]) -> dict[str, Any]:
    """What the files say together."""
    values: dict[str, Any] = {}
    for file in layers:
        for _, over in read_layers(file):
            values = merge(values, over)
    return values


def refuse(keys: Mapping[str, str], layers: Sequence[Path]) -> None:
    """Refuse files that set one of ``keys``, which are read elsewhere; each has the place where. Raises ConfigError."""
    for place, values in (layer for file in layers for layer in read_layers(file)):
        for key in values:
            if key in keys:
                raise ConfigError(f"nobody reads '{key}' in {place}: {keys[key]}; remove it there")
