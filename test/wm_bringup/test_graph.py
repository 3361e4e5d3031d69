from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from wm_bringup import graph, paths
from wm_controller.controller_node import ControllerNodeConfig
from wm_core.errors import ConfigError
from wm_ros import params

NODE_CONFIGS = {
    "sim_arm": "SimArmConfig",
    "crisp_arm": "CrispArmConfig",
    "camera": "CameraConfig",
    "encoder": "EncoderConfig",
    "planner": "PlannerNodeConfig",
    "controller": "ControllerNodeConfig",
}


def declare(mode: str = "sim", **options) -> graph.Graph:
    return graph.pick_place(mode, **({"bundle": "/bundle", "goal": "/goal"} | options))


@pytest.mark.parametrize("mode", graph.MODES)
def test_every_preset_fits_its_node(mode: str) -> None:
    for spec in declare(mode).nodes:
        module = importlib.import_module(spec.module)
        params.build(getattr(module, NODE_CONFIGS[spec.name]), spec.parameters, spec.name)


@pytest.mark.parametrize("mode", graph.MODES)
def test_every_executable_is_installed(mode: str) -> None:
    scripts = (Path(graph.__file__).parent.parent / "setup.py").read_text()
    for spec in declare(mode).nodes:
        assert f'"{spec.executable} = {spec.module}:main"' in scripts


def test_planner_and_controller_get_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("limits: {speed_m_s: 0.2, step_m: 0.03}")
    nodes = declare(config=tmp_path, settings={"controller": {"limits.step_m": 0.02}}).nodes
    built = {}
    for spec in nodes:
        if spec.name in ("planner", "controller"):
            cls = getattr(importlib.import_module(spec.module), NODE_CONFIGS[spec.name])
            built[spec.name] = params.build(cls, spec.parameters, spec.name)
    assert built["planner"].limits == built["controller"].limits
    assert (built["planner"].limits.speed_m_s, built["planner"].limits.step_m) == (0.2, 0.02)


def test_the_expert_acts_only_where_there_is_one_and_no_other_goal() -> None:
    assert declare(seed=7, goals=3).prepare == ("goals", "--seed", "7", "--count", "3", "--output", "/goal")
    assert declare(record_goal=False).prepare == ()
    assert declare("real").prepare == ()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mode 'moon' is not one of sim, mock_crisp, real"):
        declare("moon")
    with pytest.raises(ConfigError, match=r"no node 'pilot'.*sim_arm, encoder, planner, controller"):
        declare(settings={"pilot": {}})
    with pytest.raises(ConfigError, match="no configuration folder"):
        declare(config=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "says"), [("pick_place.launch.py", "describe()"), ("dry_run.launch.py", "describe(dry_run=True)")]
)
def test_the_launch_files_start_this_graph_and_nothing_else(file: str, says: str) -> None:
    """launch_ros is not on PyPI, so here the files are only read; where ROS 2 is installed they run."""

    def calls(path: Path) -> list[ast.Call]:
        return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

    assert [ast.unparse(call) for call in calls(paths.share() / "launch" / file)] == [says]
    names = [ast.unparse(call.func) for call in calls(Path(graph.__file__).with_name("launching.py"))]
    assert all(names.count(name) == 1 for name in ("graph.pick_place", "Node", "ExecuteProcess"))


def test_a_driver_that_runs_already_takes_the_place_of_the_camera_node() -> None:
    nodes = {spec.name: spec for spec in declare("real", camera="/cam/color").nodes}
    assert "camera" not in nodes
    assert ("camera/image_raw", "/cam/color") in nodes["encoder"].remappings


def test_a_dry_run_sends_nothing_to_the_arm() -> None:
    for mode, arm in (("sim", None), ("real", "fr3_servo_twist"), ("real", "droid")):
        nodes = {spec.name: spec for spec in declare(mode, arm=arm, dry_run=True).nodes}
        config = params.build(ControllerNodeConfig, nodes["controller"].parameters, "controller")
        assert config.arm.pose_topic == "dry_run/target_pose" and config.arm.twist.topic == "dry_run/twist"
        assert config.arm.gripper.kind == "none"
