"""Which YAML files configure a node: the shipped preset, and over it the file of a person's own folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wm_core.config import merge, read_yaml
from wm_core.errors import ConfigError
from wm_core.names import nearest, unknown

from . import paths

YAML = (".yaml", ".yml")


def arms() -> dict[str, Path]:
    """The shipped presets of arms by name."""
    return {file.stem: file for file in sorted((paths.share() / "config" / "arms").glob("*.yaml"))}


def arm(name: str) -> Path:
    """The preset of an arm: one of config/arms by name, or a person's own file. Raises ConfigError."""
    if name.endswith(YAML) and (Path(name).is_file() or len(Path(name).parts) > 1):
        if not Path(name).is_file():
            raise ConfigError(f"there is no arm preset at {name}; give a file, or a name from config/arms")
        return Path(name).resolve()
    known = arms()
    if name not in known:
        raise ConfigError(unknown("arm preset", name, known))
    return known[name].resolve()


def check_folder(folder: Path, nodes: Collection[str], beside: Collection[Path]) -> None:
    """Refuse a configuration folder that does not exist, or holds a YAML file that no node reads.

    ``beside``: files that are read as something else, such as the arm's preset. Raises ConfigError.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no configuration folder {folder}; it should hold files such as planner.yaml")
    known = [f"{node}.yaml" for node in nodes]
    try:
        found = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.is_file())
    except OSError as error:
        raise ConfigError(f"cannot list the configuration folder {folder}: {error.strerror}") from None
    for path in found:
        if path.suffix.lower() in YAML and path.name not in known and path.resolve() not in beside:
            near = nearest(path.stem, nodes)
            advice = f"did you mean '{near}.yaml'?" if near else "rename or remove it"
            raise ConfigError(f"nobody reads {path}; {advice} (files: {', '.join(sorted(known))})")


def files(node: str, mode: str, folder: Path | None, arm_preset: Path) -> tuple[Path, ...]:
    """The files of a node, the lowest layer first."""
    # The planner's preset is that of the simulated cell.
    shipped = arm_preset if node == "controller" else paths.preset(node, mode if mode == "real" else "sim")
    own = () if folder is None else (folder / f"{node}.yaml",)
    return tuple(path.resolve() for path in (shipped, *own) if path.is_file())


def said(layers: Iterable[Path]) -> dict[str, Any]:
    """What the files say together."""
    values: dict[str, Any] = {}
    for file in layers:
        values = merge(values, read_yaml(file))
    return values


def refuse(keys: Mapping[str, str], layers: Sequence[Path]) -> None:
    """Refuse files that set one of ``keys``, which are read elsewhere; each has the place where. Raises ConfigError."""
    for file in layers:
        for key in read_yaml(file):
            if key in keys:
                raise ConfigError(f"nobody reads '{key}' in {file}: {keys[key]}; remove it there")
