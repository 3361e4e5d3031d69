"""Configuration files: what is wrong with one is said in a sentence that names the file and the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

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
        ({"name": "a", 7: 2}, "unknown key '7'; decimals are written with a point"),
        ({"name": "a", "rate_hz": 2}, "unknown key 'rate_hz'; did you mean 'inner.rate_hz'?"),
        ({"planner": {"ros__parameters": {}}}, "leave out the node's name and ros__parameters"),
        ({"name": "a", "colour": 2}, "unknown key 'colour'; remove it, there are: corner_m, files, inner, levels, "),
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nsteps: 1\nname: b\n", "has the key 'name' twice, in the lines 1 and 3; remove one"),
        ("name: a\ninner:\n  rate_hz: 1\n  rate_hz: 2\n", "has the key 'rate_hz' twice, in the lines 3 and 4"),
        ("name: a\ninner: {rate_hz: 1, rate_hz: 1}\n", "has the key 'rate_hz' twice, in line 2"),
        ("name: a\nlevels: [{x: 1, x: 2}]\n", "has the key 'x' twice"),
        ('name: a\n"name": b\n', "has the key 'name' twice"),
        ("1: a\n1.0: b\n", "twice"),
        ("a: &x {rate_hz: 1}\ninner: {<<: *x, <<: *x}\n", "twice"),
        ("a: &x {rate_hz: 1, rate_hz: 2}\ninner: {<<: *x}\n", "twice"),
        ("name: !!omap [a: 1]\n? [a]\n: 1\n", "not valid YAML"),
        ("a: &x [*x]\n", "not valid YAML"),
        ("a: &x {b: *x}\n", "not valid YAML"),
        ("name: 2026-13-45\n", "not valid YAML"),
        ("name: !!bool maybe\n", "not valid YAML"),
        ("name: !!int ''\n", "not valid YAML: a date, or the value of a tag (!!int, ...), makes no sense"),
        ("name: !!float ''\n", "not valid YAML"),
        ("name: !!binary ä\n", "not valid YAML"),
        ("name: !!timestamp ''\n", "not valid YAML"),
        ("!!int '': a\n", "not valid YAML"),
        ("name: !!timestamp soon\n", "not valid YAML"),
        ("name: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("name: " + 5000 * "[" + "\n", "nested too deeply"),
        ("name: a\n---\nname: b\n", "not valid YAML"),
        *(
            (f"rate_hz: {number}\n", f"{number} means {value} in YAML 1.1; write {value}, or the number you")
            for number, value in (("010", 8), ("-0_7", -7), ("1:30", 90), ("190:20:30", 685230), ("1:30.5", 90.5))
        ),
        *(
            (f"rate_hz: {number}\n", "more than 64 bits")
            for number in (2**63, -(2**63) - 1, "0x" + 5000 * "f", "0b" + 80 * "1", "190:" + 20 * "59:" + "59")
        ),
        ("rate_hz: " + 5000 * "9" + "\n", "not valid YAML"),
    ],
)
def test_a_key_stands_once_and_what_is_no_yaml_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"robot\.yaml") as error:
        config.read_yaml(path)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_key_beside_a_merged_mapping_takes_its_place() -> None:
    text = "base: &base {rate_hz: 1, name: a}\nown: {<<: *base, rate_hz: 2}\n"
    assert config.parse_yaml(text, "text")["own"] == {"rate_hz": 2, "name": "a"}
    nested = "base: &base {a: 1}\nown: {<<: &mid {<<: *base, a: 2}, a: 3}\nmid: *mid\n"
    assert config.parse_yaml(nested, "text") == {"base": {"a": 1}, "own": {"a": 3}, "mid": {"a": 2}}


def test_a_long_value_is_cut_in_the_sentence() -> None:
    for values in (
        {"name": 3 * ["a" * 10000]},
        {"name": "a", "steps": "9" * 10000},
        {"name": "a", "inner": [[[[9]]]]},
        {"a" * 10000: 1},
    ):
        with pytest.raises(ConfigError) as error:
            config.from_dict(Outer, values, "robot.yaml")
        assert len(str(error.value)) < 500
    for text in (f"{'a' * 10000}: 1\n" * 2, f"!{'a' * 10000} 1", f"x: *{'a' * 10000}", f"!!int {'a' * 10000}"):
        with pytest.raises(ConfigError) as error:
            config.parse_yaml(text, "robot.yaml")
        assert len(str(error.value)) < 600 and "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="too large"):
        config.from_dict(Inner, {"rate_hz": 10**400})


@dataclass(frozen=True)
class Part:
    kind: str = "plain"
    turn_rad: float = 0.0
    READ_IF: ClassVar = {"turn_rad": ("kind", ("turned",))}


@dataclass(frozen=True)
class Whole:
    name: str
    part: Part = field(default_factory=Part)
    other: Part | None = None


@dataclass(frozen=True)
class Picky:
    rate_hz: float = 1.0
    least: int = 0
    most: int = 9

    def __post_init__(self) -> None:
        if not self.rate_hz > 0.0:
            raise ConfigError(f"rate_hz = {self.rate_hz} must be positive")
        if self.least > self.most:
            raise ConfigError(f"least = {self.least} is above most = {self.most}")


@dataclass(frozen=True)
class Holder:
    picky: Picky = field(default_factory=Picky)


def test_a_value_that_the_dataclass_refuses_names_where_it_comes_from() -> None:
    with pytest.raises(ConfigError, match=r"^robot\.yaml: picky: rate_hz = 0\.0 must be positive$"):
        config.from_dict(Holder, {"picky": {"rate_hz": 0}}, "robot.yaml")


def test_layers_are_merged_mapping_by_mapping() -> None:
    low = {"name": "a", "part": {"kind": "turned", "turn_rad": 1}}
    whole = config.from_layers(Whole, [("low", low), ("high", {"part": {"turn_rad": 2}, "other": None})], "all")
    assert whole == Whole("a", Part("turned", 2.0))
    assert low == {"name": "a", "part": {"kind": "turned", "turn_rad": 1}}
    assert config.from_layers(Whole, [("low", {"name": "a"}), ("high", {"other": {}})], "all").other == Part()


@pytest.mark.parametrize(
    ("high", "says"),
    [
        ({"naem": 1}, "all (high) has an unknown key 'naem'; did you mean 'name'?"),
        ({"part": {"turn": 1}}, "all (high): part has an unknown key 'turn'"),
        ({"other": {"turn": 1}}, "all (high): other has an unknown key 'turn'"),
        ({"part": None}, "all (high): part must be a mapping"),
        (
            {"part": {"kind": "turned", "turn_rad": "far"}},
            "all (high): part: turn_rad must be of type float, not 'far'",
        ),
        (
            {"part": {"turn_rad": 1}},
            "all (high): part: nobody reads 'turn_rad' unless 'kind' is turned, and it is 'plain'; "
            "remove 'turn_rad', or set 'kind' to turned",
        ),
        ({"other": {"turn_rad": 1}}, "all (high): other: nobody reads 'turn_rad'"),
    ],
)
def test_a_mistake_names_its_layer(high: dict, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.from_layers(Whole, [("low", {"name": "a"}), ("high", high)], "all")
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([("low", {"rate_hz": 0})], "all (low): rate_hz"),
        ([("low", {}), ("mid", {"rate_hz": 0}), ("", {})], "all (mid): rate_hz"),
        ([("low", {"rate_hz": 2}), ("mid", {}), ("", {"rate_hz": 0})], "all: rate_hz"),
        ([("low", {"rate_hz": 0}), ("mid", {"rate_hz": 0})], "all (mid): rate_hz"),
        ([("low", {"rate_hz": 0}), ("mid", {"rate_hz": 0}), ("", {"most": 3})], "all (mid): rate_hz"),
        ([("low", {"least": 2}), ("mid", {"most": 1}), ("top", {})], "all (low, mid): least = 2 is above most = 1"),
        ([("low", {"least": 2}), ("mid", {}), ("", {"most": 1})], "all (low and what was set besides): least"),
        ([("low", {"rate_hz": 2}), ("mid", {"least": 2}), ("top", {"most": 1})], "all (mid, top): least"),
        ([("low", {"least": 2}), ("mid", {"least": 2}), ("top", {"most": 1})], "all (mid, top): least"),
        ([("low", {"least": 2, "most": 1}), ("mid", {"least": 2}), ("top", {"most": 1})], "all (mid, top): least"),
        ([("", {"least": 2, "most": 1})], "all: least"),
    ],
)
def test_a_value_that_the_dataclass_refuses_names_the_layers_that_made_it(
    layers: list[tuple[str, dict]], says: str
) -> None:
    with pytest.raises(ConfigError) as error:
        config.from_layers(Picky, layers, "all")
    assert str(error.value).startswith(says)


@dataclass(frozen=True)
class Strict:
    role: str
    least: int
    most: int = 9

    def __post_init__(self) -> None:
        if self.role != "planner":
            raise ConfigError(f"role = {self.role} must be planner")
        if self.least > self.most:
            raise ConfigError(f"least = {self.least} is above most = {self.most}")


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([("low", {"least": 1}), ("mid", {"most": 3}), ("top", {"role": "x"})], "all (low, top): role = x must be"),
        ([("low", {"role": "planner"}), ("mid", {"most": 1}), ("top", {"least": 2})], "all (low, mid, top): least = 2"),
    ],
)
def test_who_gives_a_required_key_is_named_with_those_at_fault(layers: list[tuple[str, dict]], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.from_layers(Strict, layers, "all")
    assert str(error.value).startswith(says)


def test_a_value_that_nobody_gave_is_no_layers_fault() -> None:
    @dataclass(frozen=True)
    class Needs:
        out: str = ""
        count: int = 1

        def __post_init__(self) -> None:
            if not self.out:
                raise ConfigError("a calibration needs 'out'")

    with pytest.raises(ConfigError, match=r"^all: a calibration needs 'out'$"):
        config.from_layers(Needs, [("low", {"count": 2}), ("top", {"count": 3})], "all")


def test_what_an_upper_layer_leaves_unread_in_a_lower_one_is_no_fault() -> None:
    low = {"name": "a", "part": {"kind": "turned", "turn_rad": 1}}
    assert config.from_layers(Whole, [("low", low), ("high", {"part": {"kind": "plain"}})], "all").part.kind == "plain"
    with pytest.raises(ConfigError, match=r"all \(low\): part: nobody reads 'turn_rad'"):
        config.from_layers(Whole, [("low", {"name": "a", "part": {"turn_rad": 1}})], "all")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        config.load(Outer, tmp_path / "none.yaml")


def test_within_is_safe_for_what_is_no_number() -> None:
    for value in (0.0, 0.5, 1, 1.0):
        config.within("share", value, 0.0, 1.0)
    for value in (-0.1, 1.1, float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ConfigError, match=rf"^share = {value} is outside 0\.\.1 s$"):
            config.within("share", value, 0.0, 1.0, "s")


def test_a_file_stands_above_its_base(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name, text in (
        ("mine.yaml", "base: parts/tool.yaml\na: 3\n"),
        ("parts/tool.yaml", "base: arms/base/franka\na: 2\nb: 2\n"),
    ):
        (tmp_path / name).write_text(text)
    layers = config.read_layers(tmp_path / "mine.yaml")
    assert [Path(place).name for place, _ in layers] == ["franka.yaml", "tool.yaml", "mine.yaml"]
    assert layers[0][1]["force_stop_n"] == 30.0 and layers[1:] == [
        (str(tmp_path / "parts" / "tool.yaml"), {"a": 2, "b": 2}),
        (str(tmp_path / "mine.yaml"), {"a": 3}),
    ]


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("arms/fr3-crisp", r"mine\.yaml: base: there is no preset 'arms/fr3-crisp' \(did you mean 'arms/fr3_crisp'"),
        ("./nowhere.yaml", r"cannot read .*nowhere\.yaml"),
        ("mine.yaml", r"mine\.yaml is based on itself"),
        ("[1]", r"mine\.yaml: base: there is no preset '\[1\]'"),
    ],
)
def test_a_base_that_is_none_is_refused(base: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"base: {base}\n")
    with pytest.raises(ConfigError, match=says):
        config.read_layers(tmp_path / "mine.yaml")
