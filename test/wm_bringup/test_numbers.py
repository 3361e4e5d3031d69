"""No number of any node's configuration may be one that is none."""

from __future__ import annotations

import dataclasses
import importlib
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from wm_bringup.graph import _MODULES
from wm_core import config, parameters
from wm_core.errors import ConfigError

#: What a node cannot be made without.
GIVEN: dict[str, dict[str, Any]] = {"calibrate": {"out": "camera.yaml"}}
#: What a kind cannot be made without.
NEEDED: dict[str, dict[str, Any]] = {"costs.term": {"costs.term.name": "critic"}}
#: The key of a float, how many numbers it holds (0: one), and what must be said besides.
Number = tuple[str, int, dict[str, Any]]


def numbers(cls: Any, prefix: str = "", besides: dict[str, Any] | None = None) -> Iterator[Number]:
    """All floats of a configuration: in sections, in optional ones, and in those of every kind."""
    hints, besides = typing.get_type_hints(cls), besides or {}
    for field in dataclasses.fields(cls):
        hint, key = hints[field.name], prefix + field.name
        parts = typing.get_args(hint)
        section = next((part for part in (hint, *parts) if dataclasses.is_dataclass(part)), None)
        if section is not None and (table := vars(section).get("KINDS")) is not None:
            for name in table:
                inner = f"{key}.{name}" if typing.get_origin(hint) is dict else key
                yield from numbers(table.load(name), f"{inner}.", {f"{inner}.kind": name, **NEEDED.get(inner, {})})
        elif section is not None:
            yield from numbers(section, f"{key}.", besides)
        elif typing.get_origin(hint) is tuple and float in parts:
            yield key, len([part for part in parts if part is float]), besides
        elif float in (hint, *parts):
            yield key, 0, besides


def configured_by(node: str) -> Any:
    _, module, name = _MODULES[node]
    return getattr(importlib.import_module(module), name)


ALL = [(node, *number) for node in _MODULES for number in numbers(configured_by(node))]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("node", "key", "length", "besides"), ALL)
def test_a_number_that_is_none_is_refused_by_name(
    node: str, key: str, length: int, besides: dict[str, Any], value: float
) -> None:
    given = parameters.nest({**GIVEN.get(node, {}), **besides, key: [value] * length if length else value})
    with pytest.raises(ConfigError) as error:
        config.from_dict(configured_by(node), given, "FILE")
    assert str(error.value).startswith("FILE") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("node", "key", "values"),
    [
        ("planner", "max_age_s", (-0.1, 2.1, 1e308)),
        ("planner", "max_state_gap_s", (-0.01, 0.21)),
        ("calibrate", "max_age_s", (-0.1, 2.1)),
        ("calibrate", "max_state_gap_s", (-0.01, 0.21)),
        ("calibrate", "settle_s", (-0.1, 61.0)),
        ("encoder", "max_age_s", (-0.1, 0.0, 2.1)),
        ("camera", "source.fps", (-1.0, 0.0, 1e308)),
        ("camera", "source.width", (-1, 0, 10**9)),
        ("camera", "source.height", (-1, 0)),
    ],
)
def test_a_number_out_of_its_range_is_refused(node: str, key: str, values: tuple[float, ...]) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=rf"{key.rpartition('.')[2]}.* is outside"):
            config.from_dict(configured_by(node), parameters.nest({**GIVEN.get(node, {}), key: value}))


def test_there_is_something_to_check() -> None:
    assert {"optimiser.momentum", "costs.trust.weight", "gates.surprise.most"} <= {key for _, key, *_ in ALL}
    assert {node for node, *_ in ALL} == set(_MODULES) and len(ALL) > 100
