from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from wm_bringup import graph, paths
from wm_controller.node_config import ControllerNodeConfig
from wm_core.errors import ConfigError
from wm_ros import params

NODE_CONFIGS = {
    "sim_arm": "SimArmConfig",
    "crisp_arm": "CrispArmConfig",
    "camera": "CameraConfig",
    "encoder": "EncoderConfig",
    "planner": "PlannerNodeConfig",
    "calibrate": "CalibrateNodeConfig",
    "controller": "ControllerNodeConfig",
}


def declare(mode: str = "sim", **options) -> graph.Graph:
    return graph.pick_place(mode, **({"bundle": "/bundle", "goal": "/goal"} | options))


def calibration(mode: str = "sim", **options) -> graph.Graph:
    return graph.calibrate(mode, **({"bundle": "/bundle", "out": "/camera.yaml"} | options))


def built(nodes: tuple[graph.NodeSpec, ...], name: str):
    """The configuration that the node makes of its parameters."""
    spec = next(spec for spec in nodes if spec.name == name)
    return params.build(getattr(importlib.import_module(spec.module), NODE_CONFIGS[name]), spec.parameters, name)


@pytest.mark.parametrize("declared", [declare, calibration])
@pytest.mark.parametrize("mode", graph.MODES)
def test_every_preset_fits_its_node(mode: str, declared: Callable[[str], graph.Graph]) -> None:
    for spec in declared(mode).nodes:
        module = importlib.import_module(spec.module)
        params.build(getattr(module, NODE_CONFIGS[spec.name]), spec.parameters, spec.name)


@pytest.mark.parametrize("declared", [declare, calibration])
@pytest.mark.parametrize("mode", graph.MODES)
def test_every_executable_is_installed(mode: str, declared: Callable[[str], graph.Graph]) -> None:
    scripts = (Path(graph.__file__).parent.parent / "setup.py").read_text()
    for spec in declared(mode).nodes:
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
    ("file", "says"),
    [
        ("pick_place.launch.py", "describe()"),
        ("dry_run.launch.py", "describe(dry_run=True)"),
        ("calibrate.launch.py", "describe_calibration()"),
    ],
)
def test_the_launch_files_start_this_graph_and_nothing_else(file: str, says: str) -> None:
    """launch_ros is not on PyPI, so here the files are only read; where ROS 2 is installed they run."""

    def calls(path: Path) -> list[ast.Call]:
        return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

    assert [ast.unparse(call) for call in calls(paths.share() / "launch" / file)] == [says]
    names = [ast.unparse(call.func) for call in calls(Path(graph.__file__).with_name("launching.py"))]
    assert all(names.count(name) == 1 for name in ("graph.pick_place", "graph.calibrate", "Node", "ExecuteProcess"))


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


@pytest.mark.parametrize("mode", graph.MODES)
def test_a_calibration_takes_the_place_of_the_planner_and_nothing_else(mode: str) -> None:
    def others(declared: graph.Graph, brain: str) -> list[graph.NodeSpec]:
        controller = declared.nodes[-1]
        assert controller.parameters.pop("role") == brain, "the controller follows whoever gives the plans"
        return [spec for spec in declared.nodes if spec.name != brain]

    calibrating = calibration(mode, seed=5)
    assert others(calibrating, "calibrate") == others(declare(mode, seed=5), "planner")
    assert calibrating.prepare == ()
    mine = built(calibrating.nodes, "calibrate")
    assert (mine.bundle, mine.out, mine.seed) == ("/bundle", "/camera.yaml", 5)
    assert mine.camera_frame == ("" if mode == "real" else "camera")


def test_a_calibration_reads_the_arm_as_the_controller_does(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("axes: {yaw_rad: 0.5, centre_m: [0.4, 0.1], turned_hand: true}\n")
    (tmp_path / "calibrate.yaml").write_text("settle_s: 0.8\n")
    given = {"calibrate": {"moves": 40}, "controller": {"limits.speed_m_s": 0.02}}
    nodes = calibration("real", arm="droid", camera="/cam/color", config=tmp_path, settings=given).nodes
    assert [spec.name for spec in nodes] == ["encoder", "calibrate", "controller"]
    mine, controller = built(nodes, "calibrate"), built(nodes, "controller")
    assert mine.limits == controller.limits and mine.limits.speed_m_s == 0.02
    assert mine.measured == controller.measured and mine.base_frame == controller.base_frame
    assert mine.axes.centre_m == (0.4, 0.1) and mine.axes.turned_hand
    assert (mine.moves, mine.settle_s) == (40, 0.8)


def test_mistakes_in_a_calibration_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mode 'moon' is not one of"):
        calibration("moon")
    with pytest.raises(ConfigError, match=r"no node 'planner'.*encoder, calibrate, controller"):
        calibration(settings={"planner": {}})
    with pytest.raises(ConfigError, match="no configuration folder"):
        calibration(config=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no motion"):
        built(calibration(settings={"controller": {"limits.speed_m_s": 0.0}}).nodes, "calibrate")


@pytest.mark.parametrize(("mode", "arm"), [("sim", "sim_arm"), ("mock_crisp", "crisp_arm")])
def test_the_simulated_camera_can_be_turned(mode: str, arm: str) -> None:
    assert built(calibration(mode).nodes, arm).camera_azimuth_deg == 0.0
    assert built(calibration(mode, settings={arm: {"camera_azimuth_deg": 30}}).nodes, arm).camera_azimuth_deg == 30.0
    for wrong in (181.0, float("nan")):
        with pytest.raises(ConfigError, match="camera_azimuth_deg"):
            built(calibration(mode, settings={arm: {"camera_azimuth_deg": wrong}}).nodes, arm)
