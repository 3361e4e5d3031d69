"""ROS parameters from a frozen dataclass: YAML files first, then single parameters on top, unknown keys refused."""

from __future__ import annotations

import array
import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_core import config
from wm_core.errors import ConfigError, quoted

T = TypeVar("T")

#: The parameter that names the YAML files, the later ones layered over the earlier.
CONFIG_PARAMETER = "config"
#: The parameter that holds a YAML mapping of further values; see :func:`to_ros`.
SETTINGS_PARAMETER = "settings"
#: The environment variable with the parameters that a graph gives; see :func:`environment`.
GRAPH_VARIABLE = "WM_GRAPH_PARAMETERS"
_OURS = (CONFIG_PARAMETER, SETTINGS_PARAMETER)
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
        inner[leaf] = dict(value) if isinstance(value, dict) else value  # a copy, which parts may be added to
    return out


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The inverse of :func:`nest`."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        out.update(flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return out


def to_ros(values: dict[str, Any]) -> dict[str, Any]:
    """Parameters as ROS can hold them: no null, no empty list, no list of lists or of both integers and floats.

    So what is not ROS's own goes as one text, which :func:`build` reads as YAML.
    """
    own = {key: value for key, value in values.items() if key == CONFIG_PARAMETER or _is_of_ros(key)}
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
    return {GRAPH_VARIABLE: json.dumps(_configuring(to_ros(values)))}


def _refuse_foreign(given: dict[str, Any], name: str) -> None:
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


def _configuring(values: dict[str, Any]) -> dict[str, Any]:
    """Those of the parameters that are not ROS's own."""
    return {key: value for key, value in values.items() if not _is_of_ros(key)}


def layers(given: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """What the parameters ``given`` of the node ``name`` say, the lowest layer first, each with its file or "".

    The files of ``config``, one or several, then single parameters, then the text ``settings``: what the graph says
    stands above what is said around it, such as in another launch file. Raises ConfigError.
    """
    out = [(file, config.read_yaml(file)) for file in _files(given, name)]
    return out + _beside_files(given, name)


def _beside_files(given: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    """The layers above the files."""
    out = []
    single = {key: value for key, value in given.items() if key not in _OURS and not _is_of_ros(key)}
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


def _given(node: Node) -> dict[str, Any]:
    """The parameters that a node was started with, but for ROS's own."""
    # Declaring them as they come would end in a traceback for an empty list, which ROS takes for no value.
    overrides: dict[str, Parameter] = node._parameter_overrides
    return _configuring({name: _plain(parameter.value) for name, parameter in overrides.items()})


def sources(node: Node) -> list[str]:
    """Where the configuration of a node comes from, the lowest layer first: its files, then what was said beside them.

    What was said is ``name = value``, all in one entry. Raises ConfigError as :func:`read` does.
    """
    given = _given(node)
    said: dict[str, Any] = {}
    for _, values in _beside_files(given, node.get_name()):
        said |= flatten(values)
    beside = ", ".join(f"{name} = {value}" for name, value in said.items())
    return _files(given, node.get_name()) + ([beside] if beside else [])


def read(node: Node, cls: type[T]) -> T:
    """The configuration of a node: defaults of ``cls``, then the files in the parameter ``config``, then parameters.

    A nested field is the parameter ``group.field``. Where a graph started the node, nobody else gives any. Every value
    is declared, so that ``ros2 param list`` shows the whole configuration. Raises ConfigError on an unknown key or a
    wrong type.
    """
    given = _given(node)
    _refuse_foreign(given, node.get_name())
    out = build(cls, given, node.get_name())
    declared = flatten(dataclasses.asdict(out))  # type: ignore[call-overload]
    for name, value in {**declared, **{name: given[name] for name in _OURS if name in given}}.items():
        value = list(value) if isinstance(value, tuple) else value
        if _is_parameter(value) and not node.has_parameter(name):
            node.declare_parameter(name, value, ignore_override=True)
    return out


def _is_parameter(value: Any) -> bool:
    """Whether ROS can hold the value: a scalar or a list of scalars of one kind."""
    scalars = value if isinstance(value, list) else [value]
    return len({type(v) for v in scalars}) == 1 and isinstance(scalars[0], (bool, int, float, str))


def _is_of_ros(name: str) -> bool:
    return name in _OF_ROS or name.startswith("qos_overrides.")


def _listed(value: Any) -> Any:
    """Tuples as the lists of YAML, whatever holds them."""
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    """A ROS parameter's value as Python's own: no value is an empty list, and YAML's null came as the word."""
    if value is None:
        return []
    if isinstance(value, str) and value in ("null", "~"):
        return None
    return value.tolist() if isinstance(value, (array.array, np.ndarray)) else value
