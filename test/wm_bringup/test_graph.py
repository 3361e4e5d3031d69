from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from wm_bringup import graph, paths
from wm_core.errors import ConfigError
from wm_ros import params

NODE_CONFIGS = {
    "sim_arm": "SimArmConfig",
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
    with pytest.raises(ConfigError, match="mode 'moon' is not one of sim, real"):
        declare("moon")
    with pytest.raises(ConfigError, match=r"no node 'pilot'.*sim_arm, encoder, planner, controller"):
        declare(settings={"pilot": {}})
    with pytest.raises(ConfigError, match="no configuration folder"):
        declare(config=tmp_path / "nowhere")


def test_the_launch_file_starts_this_graph_and_nothing_else() -> None:
    """launch_ros is not on PyPI, so here the file is only read; where ROS 2 is installed it runs."""
    tree = ast.parse((paths.share() / "launch" / "pick_place.launch.py").read_text())
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert calls.count("graph.pick_place") == 1 and calls.count("Node") == 1 and calls.count("ExecuteProcess") == 1
