"""ROS parameters from a frozen dataclass: a YAML file first, then single parameters on top, unknown keys refused."""

from __future__ import annotations

import array
import dataclasses
from typing import Any, TypeVar

import numpy as np
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_core import config
from wm_core.errors import ConfigError

T = TypeVar("T")

#: The parameter that names the YAML file.
CONFIG_PARAMETER = "config"
#: Parameters that belong to ROS itself.
_OF_ROS = ("use_sim_time", "start_type_description_service")


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """``{"limits.speed_m_s": 0.1}`` to ``{"limits": {"speed_m_s": 0.1}}``."""
    out: dict[str, Any] = {}
    for name, value in flat.items():
        inner = out
        *groups, leaf = name.split(".")
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"parameter '{name}' goes deeper than the value of '{group}'")
        inner[leaf] = value
    return out


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The inverse of :func:`nest`."""
    out: dict[str, Any] = {}
    for key, value in values.items():
        out.update(flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return out


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over`` in their place, mapping by mapping."""
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        out[key] = merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return out


def build(cls: type[T], given: dict[str, Any], name: str) -> T:
    """A configuration from parameters ``{"group.field": value}``, one of which may be ``config``, a YAML file.

    ``name`` is the node's, for the sentence of the ConfigError on an unknown key or a wrong type.
    """
    path = given.get(CONFIG_PARAMETER, "")
    single = {key: value for key, value in given.items() if key != CONFIG_PARAMETER}
    where = f"the configuration of {name}" + (f" ({path})" if path else "")
    return config.from_dict(cls, merge(config.read_yaml(path) if path else {}, nest(single)), where)


def read(node: Node, cls: type[T]) -> T:
    """The configuration of a node: defaults of ``cls``, then the file in the parameter ``config``, then parameters.

    A nested field is the parameter ``group.field``. Every value is declared read-only, so that ``ros2 param list``
    shows the whole configuration and nobody believes that changing it later has an effect.
    The node must have been made with ``automatically_declare_parameters_from_overrides=True``.
    Raises ConfigError on an unknown key or a wrong type.
    """
    given: dict[str, Any] = {}
    for name, parameter in node.get_parameters_by_prefix("").items():
        if name not in _OF_ROS and not name.startswith("qos_overrides.") and isinstance(parameter, Parameter):
            given[name] = _plain(parameter.value)
    out = build(cls, given, node.get_name())
    for name, value in flatten(dataclasses.asdict(out)).items():  # type: ignore[call-overload]
        if not node.has_parameter(name) and _is_parameter(value):
            value = list(value) if isinstance(value, tuple) else value
            node.declare_parameter(name, value, ParameterDescriptor(read_only=True))
    return out


def _is_parameter(value: Any) -> bool:
    """Whether ROS can hold the value: a scalar or a list of scalars of one kind."""
    scalars = value if isinstance(value, tuple) else (value,)
    return len({type(v) for v in scalars}) == 1 and isinstance(scalars[0], (bool, int, float, str))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (array.array, np.ndarray)) else value
