"""A real arm keeps what watches over it, unless a person says so in so many words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wm_bringup import graph, guards, presets
from wm_core.errors import ConfigError

WITHOUT = {
    "force_hold_n": "force_hold_n: null",
    "force_stop_n": "force_stop_n: null",
    "torque_hold_nm": "torque_hold_nm: null",
    "torque_stop_nm": "torque_stop_nm: null",
    "robot": "robot: null\nrequire: [wrench]",
    "require.wrench": "require: [joints]",
    "require.joints": "require: [wrench]",
    "measured.wrench_topic": "require: [joints]\nmeasured: {wrench_topic: arm/wrench}",
    "measured.joints_topic": "require: [wrench]\nmeasured: {joints_topic: joint_states}",
    "measured.robot_topic": "measured: {robot_topic: nowhere}",
    "measured.shared_topics": "measured: {shared_topics: [franka_robot_state_broadcaster/robot_state]}",
}
#: What goes with it of itself.
BESIDES = {
    "robot": ["require.joints"],
    "measured.wrench_topic": ["require.wrench"],
    "measured.joints_topic": ["require.joints"],
}


def declare(mode: str = "real", **options) -> graph.Graph:
    return graph.pick_place(mode, **({"bundle": "/bundle", "goal": "/goal"} | options))


@pytest.mark.parametrize("mode", ["real", "mock_crisp"])
@pytest.mark.parametrize("name", WITHOUT)
def test_a_guard_is_dropped_only_in_so_many_words(name: str, mode: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text(WITHOUT[name])
    names = [name, *BESIDES.get(name, [])]
    with pytest.raises(ConfigError, match=r"drops the guard") as error:
        declare(mode, config=tmp_path)
    for missing in names:
        assert f"--drop-guard {missing}" in str(error.value)
    assert "fr3_crisp.yaml" in str(error.value) and "drop_guards:=" in str(error.value)
    assert declare(mode, config=tmp_path, drop_guards=names).nodes
    if len(names) > 1:
        with pytest.raises(ConfigError, match=f"drops the guard {re.escape(names[1])},"):
            declare(mode, config=tmp_path, drop_guards=names[:1])


def test_a_setting_drops_no_guard_either() -> None:
    with pytest.raises(ConfigError, match="drops the guard force_stop_n"):
        declare(settings={"controller": {"force_stop_n": None}})


@pytest.mark.parametrize("text", ["", "rate_hz: 50\n", "arm: {kind: pose_stream}\n"])
def test_a_preset_of_ones_own_may_not_forget_a_guard_in_silence(text: str, tmp_path: Path) -> None:
    (tmp_path / "arm.yaml").write_text(text)
    with pytest.raises(
        ConfigError, match=r"force_hold_n, force_stop_n, torque_hold_nm, torque_stop_nm, robot, require"
    ):
        declare(arm=str(tmp_path / "arm.yaml"))
    with pytest.raises(ConfigError, match="force_hold_n"):
        declare(arm="sim")


def test_every_shipped_preset_has_all_guards() -> None:
    for name in presets.arms():
        assert name == "sim" or declare(arm=name).nodes


def test_what_tightens_or_moves_to_another_topic_that_is_waited_for_is_no_drop(tmp_path: Path) -> None:
    text = "force_stop_n: 20\nmeasured: {wrench_topic: /left/wrench, robot_topic: /left/state}\n"
    (tmp_path / "controller.yaml").write_text(text + "require: [wrench, joints, robot]\n")
    assert declare(config=tmp_path).nodes


@pytest.mark.parametrize("text", ["joint_prefix: left_", "joints_topic: joint_states"])
def test_joints_that_are_read_otherwise_must_be_waited_for(text: str, tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text(f"measured: {{{text}}}\n")
    assert declare(config=tmp_path).nodes
    (tmp_path / "controller.yaml").write_text(f"measured: {{{text}}}\nrequire: [wrench]\n")
    with pytest.raises(ConfigError, match=r"require\.joints, measured\.joints_topic"):
        declare(config=tmp_path)


def test_a_robots_state_that_is_read_otherwise_is_blind(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("measured: {robot_format: json}\n")
    with pytest.raises(ConfigError, match=r"drops the guard measured\.robot_topic"):
        declare(config=tmp_path)
    assert declare("mock_crisp").nodes, "the stand-in has no other"


def test_a_calibration_keeps_its_guards_as_well() -> None:
    with pytest.raises(ConfigError, match="drops the guard force_stop_n"):
        settings = {"controller": {"force_stop_n": None}}
        graph.calibrate("real", bundle="/bundle", out="/camera.yaml", settings=settings)


def test_an_allowance_that_is_not_needed_or_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="the guard force_stop_n is not dropped by the configuration; leave out"):
        declare(drop_guards=["force_stop_n"])
    with pytest.raises(ConfigError, match=r"no guard 'force-stop' \(did you mean 'force_stop_n'\?\); there are: "):
        declare(drop_guards=["force-stop"])
    with pytest.raises(ConfigError, match="in simulation"):
        declare("sim", drop_guards=["force_stop_n"])


def test_every_guard_is_tried() -> None:
    assert set(guards.GUARDS) - set(WITHOUT) == {"require.robot", "require.planner", "require.encoder"}
