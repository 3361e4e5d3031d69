from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_core import parameters
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_ros import params


@dataclass(frozen=True)
class Config:
    rate_hz: float = 50.0
    name: str = "a"
    optional: float | None = None
    names: tuple[str, ...] = ("a",)
    names: tuple[str, ...] = ("a",)
    pose: tuple[float, float, float, float, float, float] = (0.0,) * 6
    limits: Limits = field(default_factory=Limits)


def read(overrides: dict | None = None) -> tuple[Config, dict]:
    """The configuration of a real node with these parameters, and all its parameters afterwards."""
    rclpy.init()
    try:
        given = {} if overrides is None else overrides
        node = Node("tested", parameter_overrides=[Parameter(k, value=v) for k, v in given.items()])
        config = params.read(node, Config)
        return config, {name: p.value for name, p in node.get_parameters_by_prefix("").items()}
    finally:
        rclpy.shutdown()


def test_defaults_are_declared_for_all_to_see() -> None:
    config, declared = read()
    assert config == Config()
    assert declared["rate_hz"] == 50.0 and declared["limits.speed_m_s"] == 0.10
    assert list(declared["limits.box_min_m"]) == [0.25, -0.35, 0.02]


def test_single_parameters_stand_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tested.yaml"
    file.write_text("rate_hz: 20\nlimits: {speed_m_s: 0.05, step_m: 0}\n")
    config, _ = read({"config": str(file), "limits.speed_m_s": 0.2, "limits.box_min_m": [0.3, -0.1, 0.1]})
    assert config.rate_hz == 20.0
    assert config.limits == Limits(speed_m_s=0.2, step_m=0.0, box_min_m=(0.3, -0.1, 0.1))


def test_several_files_are_layers_and_settings_stand_above_them(tmp_path: Path) -> None:
    low, high = tmp_path / "low.yaml", tmp_path / "high.yaml"
    low.write_text("rate_hz: 20\noptional: 3\nlimits: {speed_m_s: 0.05, step_m: 0}\n")
    high.write_text("limits: {speed_m_s: 0.02}\n")
    config, _ = read({"config": [str(low), str(high)], "settings": "{optional: null, limits.box_min_m: [0.3, 0, 0.1]}"})
    assert (config.rate_hz, config.optional) == (20.0, None)
    assert config.limits == Limits(speed_m_s=0.02, step_m=0.0, box_min_m=(0.3, 0.0, 0.1))


@pytest.mark.parametrize(
    "values",
    [
        {"limits.box_min_m": [0.3, 0, 0.1]},
        {"optional": None},
        {"optional": 7},
        {"name": "1e3", "rate_hz": 50},
        {"name": "null"},
        {"name": "a: {b"},
        {"name": "a\nb 'c' \"d\""},
        {"name": "", "limits.box_max_m": (0.5, 0, 0.5)},
        {"limits": {"speed_m_s": 0, "box_min_m": [0.3, 0, 0]}},
        {},
    ],
)
def test_ros_can_hold_whatever_yaml_can(values: dict, tmp_path: Path) -> None:
    """The way of 'wm' and of 'ros2 launch': the parameters are written as text, and a node reads them."""
    wanted = parameters.build(Config, values, "tested")
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters.to_ros(values) | {"use_sim_time": False}}}))
    rclpy.init(args=["--ros-args", "--params-file", str(file)])
    try:
        assert params.read(Node("tested"), Config) == wanted
    finally:
        rclpy.shutdown()


def test_what_belongs_to_ros_stays_a_parameter_of_its_own() -> None:
    values = {"config": ["a.yaml"], "use_sim_time": True, "qos_overrides./x.y": 1, "rate_hz": 3}
    text = parameters.to_ros(values)
    assert text.pop("settings").strip() == "{rate_hz: 3}" and "rate_hz" not in text and len(text) == 3


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"settings": "[1]"}, "the parameter 'settings' of tested must hold a mapping"),
        ({"settings": "{a: 1, a: 2}"}, "the parameter 'settings' of tested has the key 'a' twice"),
        ({"settings": "{limits: {step_m: 0}, limits.step_m: 0}"}, "'limits.step_m' is given twice"),
        ({"settings": "{limits.step_m: 0, limits: {step_m: 0}}"}, "'limits' is given twice"),
    ],
)
def test_mistakes_in_settings_are_named(overrides: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parameters.build(Config, overrides, "tested")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"rate": 1.0}, "the configuration of tested has an unknown key 'rate'; did you mean 'rate_hz'"),
        ({"limits.speed": 1.0}, "unknown key 'speed'"),
        ({"rate_hz": "fast"}, "rate_hz must be of type float"),
        ({"limits.speed_m_s": 9.0}, "only tighten"),
        ({"config": "/nowhere.yaml"}, "cannot read /nowhere.yaml"),
        ({"name.inner": 1}, "name must be of type str"),
    ],
)
def test_mistakes_are_named(overrides: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(overrides)


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("limits: {sped_m_s: 1}")
    with pytest.raises(ConfigError, match=r"c\.yaml.*unknown key 'sped_m_s'; did you mean 'speed_m_s'"):
        read({"config": str(tmp_path / "c.yaml")})


def test_nest_is_the_inverse_of_flatten() -> None:
    nested = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert parameters.nest(parameters.flatten(nested)) == nested
    with pytest.raises(ConfigError, match="deeper"):
        parameters.nest({"a": 1, "a.b": 2})


@pytest.mark.parametrize(
    ("given", "is_"),
    [
        ("names:=[]", Config(names=())),
        ("optional:=null", Config()),
        ("optional:=~", Config()),
        ("limits.box_min_m:=[1, 0, 0]", None),
        ("limits.step_m:=0", Config(limits=Limits(step_m=0.0))),
    ],
)
def test_what_a_person_writes_after_ros_args(given: str, is_: Config | None) -> None:
    rclpy.init(args=["--ros-args", "-p", given])
    try:
        if is_ is None:
            with pytest.raises(ConfigError, match="workspace box in x = 1"):
                params.read(Node("tested"), Config)
        else:
            assert params.read(Node("tested"), Config) == is_
    finally:
        rclpy.shutdown()


@pytest.mark.parametrize(
    "given",
    [{"config": value} for value in (5, True, 1.5, [1, 2], None, "", [""], ["a.yaml", ""], {"a": "b"})]
    + [{"settings": value} for value in (5, True, 1.5, ["a"], None, {"a": 1})],
)
def test_files_and_settings_of_another_type_are_one_sentence(given: dict) -> None:
    (name,) = given
    with pytest.raises(ConfigError, match=f"the parameter '{name}' of tested must be a (file|text)") as error:
        parameters.build(Config, given, "tested")
    assert "\n" not in str(error.value)


def started_by_a_graph(
    values: dict, around: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str, last: bool = False
) -> Config:
    """The configuration of a node that a graph starts with ``values``, below the parameter file ``around``."""
    ours, theirs = tmp_path / "ours.yaml", tmp_path / "theirs.yaml"
    ours.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters.to_ros(values)}}))
    theirs.write_text(yaml.safe_dump(around))
    for name, value in parameters.environment(values).items():
        monkeypatch.setenv(name, value)
    files = [ours, theirs] if last else [theirs, ours]
    rclpy.init(args=["--ros-args", *words, *(word for file in files for word in ("--params-file", str(file)))])
    try:
        return params.read(Node("tested"), Config)
    finally:
        rclpy.shutdown()


def said(**values: object) -> dict:
    return {"ros__parameters": values}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("around", "key"),
    [
        ({"tested": said(optional="null")}, "optional"),
        ({"/**": said(optional=70.0)}, "optional"),
        ({"/tested": {"ros__parameters": {"limits": {"speed_m_s": 0.2}}}}, "limits.speed_m_s"),
        ({"tested": said(rate_hz=50.0)}, "rate_hz"),  # even if it is what holds anyway
        ({"tested": said(nobody_knows=1)}, "nobody_knows"),
        ({"/**": said(), "tested": said(config=["other.yaml"])}, "config"),
        ({"/**": said(), "tested": said(settings="{optional: null}")}, "settings"),
        ({"/**": said(), "tested": said(settings="")}, "settings"),
    ],
)
def test_a_graphs_node_takes_no_parameters_from_around_it(
    around: dict, key: str, last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of another launch file or parameter file: the guards of the arm are judged without them."""
    (tmp_path / "preset.yaml").write_text("optional: 15.0\n")
    values = {"config": [str(tmp_path / "preset.yaml")], "limits.step_m": 0.01}
    with pytest.raises(ConfigError, match=f"the parameter '{key}' of tested is also given around the graph") as error:
        started_by_a_graph(values, around, tmp_path, monkeypatch, last=last)
    assert "tested.yaml in the folder of config:=" in str(error.value)


def test_a_word_of_the_command_line_is_from_around_the_graph_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="'rate_hz' of tested is also given around the graph"):
        started_by_a_graph({}, {"tested": said()}, tmp_path, monkeypatch, "-p", "rate_hz:=20.0")


@pytest.mark.parametrize(
    "values", [{}, {"optional": None, "name": " a\n\u00e4 'b' ", "limits.box_min_m": [0.3, 0, 0.1]}, {"rate_hz": 3}]
)
def test_a_graphs_node_takes_what_the_graph_says_and_what_is_ros_own(
    values: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = {"/**": said(use_sim_time=True), "other": said(rate_hz=99.0)}
    assert started_by_a_graph(values, around, tmp_path, monkeypatch) == parameters.build(Config, values, "tested")
