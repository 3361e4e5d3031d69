"""The parameters of a ROS node as one frozen dataclass; see :mod:`wm_core.parameters`."""

from __future__ import annotations

import array
import dataclasses
from typing import Any, TypeVar

import numpy as np
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_core import parameters
from wm_core.parameters import OURS, configuring, flatten

T = TypeVar("T")


def read(node: Node, cls: type[T]) -> T:
    """The configuration of a node: defaults of ``cls``, then the files in the parameter ``config``, then parameters.

    A nested field is the parameter ``group.field``. Where a graph started the node, nobody else gives any. Every value
    is declared, so that ``ros2 param list`` shows the whole configuration. Raises ConfigError on an unknown key or a
    wrong type.
    """
    given = _given(node)
    parameters.refuse_foreign(given, node.get_name())
    out = parameters.build(cls, given, node.get_name())
    declared = flatten(dataclasses.asdict(out))  # type: ignore[call-overload]
    for name, value in {**declared, **{name: given[name] for name in OURS if name in given}}.items():
        value = list(value) if isinstance(value, tuple) else value
        if _is_parameter(value) and not node.has_parameter(name):
            node.declare_parameter(name, value, ignore_override=True)
    return out


def sources(node: Node) -> list[str]:
    """Where the configuration of a node comes from, the lowest layer first: its files, then what was said beside them.

    What was said is ``name = value``, all in one entry. Raises ConfigError as :func:`read` does.
    """
    given = _given(node)
    files, said = [], {}
    for place, values in parameters.layers(given, node.get_name()):
        if place:
            files.append(place)
        else:
            said.update(flatten(values))
    beside = ", ".join(f"{name} = {value}" for name, value in said.items())
    return files + ([beside] if beside else [])


def _given(node: Node) -> dict[str, Any]:
    """The parameters that a node was started with, but for ROS's own."""
    # Declaring them as they come would end in a traceback for an empty list, which ROS takes for no value.
    overrides: dict[str, Parameter] = node._parameter_overrides
    return configuring({name: _plain(parameter.value) for name, parameter in overrides.items()})


def _is_parameter(value: Any) -> bool:
    """Whether ROS can hold the value: a scalar or a list of scalars of one kind."""
    scalars = value if isinstance(value, list) else [value]
    return len({type(v) for v in scalars}) == 1 and isinstance(scalars[0], (bool, int, float, str))


def _plain(value: Any) -> Any:
    """A ROS parameter's value as Python's own: no value is an empty list, and YAML's null came as the word."""
    if value is None:
        return []
    if isinstance(value, str) and value in ("null", "~"):
        return None
    return value.tolist() if isinstance(value, (array.array, np.ndarray)) else value
