"""A node's configuration from its parameters: YAML files first, then single values on top, unknown keys refused.

Nothing here needs ROS; :mod:`wm_ros.params` reads the parameters of a node that runs.
"""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from . import config
from .errors import ConfigError, quoted

T = TypeVar("T")

#: The parameter that names the YAML files, the later ones layered over the earlier.
CONFIG_PARAMETER = "config"
#: The parameter that holds a YAML mapping of further values; see :func:`to_ros`.
SETTINGS_PARAMETER = "settings"
#: The environment variable with the parameters that a graph gives; see :func:`environment`.
GRAPH_VARIABLE = "WM_GRAPH_PARAMETERS"
OURS = (CONFIG_PARAMETER, SETTINGS_PARAMETER)
#: Parameters that belong to ROS itself.
_OF_ROS = ("use_sim_time", "start_type_description_service")


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """``{"limits.speed_m_s": 0.1}`` to ``{"limits": {"speed_m_s": 0.1}}``."""
    out: dict[str, Any] = {}
    for name, value in flat.items():
        inner = out
        *groups, leaf = str(name).split(".")
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"parameter {quoted(name)} goes deeper than the value of {quoted(group)}")
        if leaf in inner:
            raise ConfigError(f"parameter {quoted(name)} is given twice, as a whole and in parts")
        inner[leaf] = copy.deepcopy(value)  # which parts may be added to
    return out


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The inverse of :func:`nest`."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        out.update(
            flatten(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
        )
    return out


def from_words(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``["planner.subgoals={budget_steps: 9}"]`` to ``{"planner": {"subgoals.budget_steps": 9}}``.

    Raises ConfigError on what is not of this form, no YAML, or given twice.
    """
    settings: dict[str, dict[str, Any]] = {}
    for word in words:
        path, equals, text = word.partition("=")
        node, dot, key = path.partition(".")
        if not (equals and dot and node and key):
            raise ConfigError(f"--set {word} is not of the form NODE.KEY=VALUE, such as controller.rate_hz=100")
        if not text.strip():
            raise ConfigError(f"--set {word} has no value, as if a shell variable were not set; give it, or say null")
        given = settings.setdefault(node, {})
        for name, value in flatten({key: config.parse_yaml(text, f"--set {word}")}).items():
            if name in given:
                raise ConfigError(f"--set {word}: {node}.{name} is given a second time; remove one")
            given[name] = value
    return settings


def to_ros(values: dict[str, Any]) -> dict[str, Any]:
    """Parameters as ROS can hold them: no null, no empty list, no list of lists or of both integers and floats.

    So what is not ROS's own goes as one text, which :func:`build` reads as YAML.
    """
    own = {key: value for key, value in values.items() if key == CONFIG_PARAMETER or is_of_ros(key)}
    rest = {key: value for key, value in values.items() if key not in own}
    return {
        **own,
        **(
            {SETTINGS_PARAMETER: yaml.safe_dump(_listed(rest), default_flow_style=True, width=math.inf)} if rest else {}
        ),
    }


def environment(values: dict[str, Any]) -> dict[str, str]:
    """The variable by which a graph tells its node what it says to it: the node refuses whatever is said besides.

    Parameters alone would not do. Those of a launch file around the graph reach the node too, and may even stand above
    the graph's, where they name the node more closely; but the graph has judged the configuration without them.
    """
    return {GRAPH_VARIABLE: json.dumps(configuring(to_ros(values)))}


def refuse_foreign(given: dict[str, Any], name: str) -> None:
    """Refuse parameters that a graph, if one started this process, has not given. Raises ConfigError."""
    if (text := os.environ.get(GRAPH_VARIABLE)) is None:
        return
    graphs = json.loads(text)
    for key in {**given, **graphs}:
        if key not in given or key not in graphs or given[key] != graphs[key]:
            raise ConfigError(
                f"the parameter {quoted(key)} of {name} is also given around the graph, which cannot judge it there; "
                f"take it out of that launch file or parameter file, and say it in {name}.yaml in the folder of "
                "config:= (wm: --config)"
            )


def configuring(values: dict[str, Any]) -> dict[str, Any]:
    """Those of the parameters that are not ROS's own."""
    return {key: value for key, value in values.items() if not is_of_ros(key)}


def layers(given: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """What the parameters ``given`` of the node ``name`` say, the lowest layer first, each with its file or "".

    The files of ``config``, one or several, each above its base, then single parameters, then the text ``settings``:
    what the graph says stands above what is said around it, such as in another launch file. Raises ConfigError.
    """
    of_files = [layer for file in _files(given, name) for layer in config.read_layers(file)]
    return of_files + _beside_files(given, name)


def _beside_files(given: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """The layers above the files; see :func:`layers`."""
    out = []
    single = {key: value for key, value in given.items() if key not in OURS and not is_of_ros(key)}
    if single:
        out.append(("", nest(single)))
    where = f"the parameter '{SETTINGS_PARAMETER}' of {name}"
    if not isinstance(text := given.get(SETTINGS_PARAMETER, ""), str):
        raise ConfigError(f"{where} must be a text in YAML, not {quoted(text)}")
    if text:
        values = config.parse_yaml(text, where)
        if not isinstance(values, dict):
            raise ConfigError(f"{where} must hold a mapping of keys to values")
        out.append(("", nest(values)))
    return out


def _files(given: dict[str, Any], name: str) -> list[str]:
    """The files that the parameter ``config`` names, the lowest layer first. Raises ConfigError."""
    files = given.get(CONFIG_PARAMETER, ())
    files = [files] if isinstance(files, (str, Path)) else files
    if not isinstance(files, (list, tuple)) or not all(file and isinstance(file, (str, Path)) for file in files):
        raise ConfigError(
            f"the parameter '{CONFIG_PARAMETER}' of {name} must be a file or a list of files, not {quoted(files)}"
        )
    return [str(file) for file in files]


def build(cls: type[T], given: dict[str, Any], name: str) -> T:
    """A configuration from parameters ``{"group.field": value}``; for ``config`` and ``settings`` see :func:`layers`.

    ``name`` is the node's, for the sentence of the ConfigError on an unknown key or a wrong type.
    """
    return config.from_layers(cls, layers(given, name), f"the configuration of {name}")


def is_of_ros(name: str) -> bool:
    return name in _OF_ROS or name.startswith("qos_overrides.")


def _listed(value: Any) -> Any:
    """Tuples as the lists of YAML, whatever holds them."""
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value
