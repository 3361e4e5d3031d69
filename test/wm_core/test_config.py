"""Configuration files: what is wrong with one is said in a sentence that names the file and the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wm_core import config
from wm_core.errors import ConfigError, WmError


@dataclass(frozen=True)
class Inner:
    rate_hz: float = 50.0


@dataclass(frozen=True)
class Outer:
    name: str
    steps: int = 1
    live: bool = False
    corner_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    levels: tuple[float, ...] | None = None
    files: dict[str, str] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)


def test_values_and_defaults() -> None:
    values = {"name": "a", "corner_m": [1, 2, 3.5], "levels": [0, 1], "files": {"x": "y"}, "inner": {"rate_hz": 100}}
    outer = config.from_dict(Outer, values)
    assert outer == Outer("a", 1, False, (1.0, 2.0, 3.5), (0.0, 1.0), {"x": "y"}, Inner(100.0))
    assert isinstance(outer.inner.rate_hz, float)
    assert config.from_dict(Outer, {"name": "a", "levels": None}).levels is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "lacks the key 'name'"),
        ({"name": "a", "step": 2}, "did you mean 'steps'"),
        ({"name": "a", 7: 2}, "unknown key '7'"),
        ({"name": 1}, "name must be of type str"),
        ({"name": "a", "steps": 1.5}, "steps must be of type int"),
        ({"name": "a", "steps": True}, "steps must be of type int"),
        ({"name": "a", "live": 1}, "live must be of type bool"),
        ({"name": "a", "corner_m": [1, 2]}, "corner_m must have 3 entries"),
        ({"name": "a", "corner_m": "123"}, "corner_m must be a list"),
        ({"name": "a", "levels": [0, "high"]}, "levels must be of type float"),
        ({"name": "a", "files": ["x"]}, "files must be a mapping"),
        ({"name": "a", "inner": {"rate_hz": "50"}}, "inner: rate_hz must be of type float"),
        ({"name": "a", "inner": 3}, "inner must be a mapping"),
        ([1], "must be a mapping"),
    ],
)
def test_what_is_refused(values: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=r"^robot\.yaml") as error:
        config.from_dict(Outer, values, "robot.yaml")
    assert says in str(error.value)
    assert isinstance(error.value, WmError)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("name: a\ninner: {rate_hz: 20}\n")
    assert config.load(Outer, path).inner.rate_hz == 20.0
    path.write_text("")
    assert config.read_yaml(path) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"name: [", "not valid YAML"), (b"- name", "must hold a mapping"), (b"\xff\xfe\x00", "robot.yaml")],
)
def test_unusable_files(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=says) as error:
        config.load(Outer, path)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        config.load(Outer, tmp_path / "none.yaml")
