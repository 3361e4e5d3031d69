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


def numbers(cls: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """The keys of all floats, in sections and optional sections too, and how many numbers each holds (0: one)."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint, key = hints[field.name], prefix + field.name
        kinds = typing.get_args(hint)
        section = next((kind for kind in (hint, *kinds) if dataclasses.is_dataclass(kind)), None)
        if section is not None:
            yield from numbers(section, f"{key}.")
        elif typing.get_origin(hint) is tuple and float in kinds:
            yield key, len([kind for kind in kinds if kind is float])
        elif float in (hint, *kinds):
            yield key, 0


def configured_by(node: str) -> Any:
    _, module, name = _MODULES[node]
    return getattr(importlib.import_module(module), name)


ALL = [(node, key, length) for node in _MODULES for key, length in numbers(configured_by(node))]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(("node", "key", "length"), ALL)
def test_a_number_that_is_none_is_refused_by_name(node: str, key: str, length: int, value: float) -> None:
    given = parameters.nest({**GIVEN.get(node, {}), key: [value] * length if length else value})
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
        ("camera", "fps", (-1.0, 0.0, 1e308)),
        ("camera", "width", (-1, 0, 10**9)),
        ("camera", "height", (-1, 0)),
    ],
)
def test_a_number_out_of_its_range_is_refused(node: str, key: str, values: tuple[float, ...]) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=rf"{key}.* is outside"):
            config.from_dict(configured_by(node), {**GIVEN.get(node, {}), key: value})


def test_there_is_something_to_check() -> None:
    assert {node for node, _, _ in ALL} == set(_MODULES) and len(ALL) > 100
