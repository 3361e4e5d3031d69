from __future__ import annotations

import ast
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml

from wm_bringup import graph, paths
from wm_core.config import load, read_yaml
from wm_core.errors import ConfigError, WmError
from wm_core.share import share
from wm_models.bundle import SPEC_NAME
from wm_planner.node_config import PlannerNodeConfig
from wm_planner.planner import PlannerConfig


def declare(mode: str = "sim", **options) -> graph.Graph:
    return graph.pick_place(mode, **({"bundle": "/bundle", "goal": "/goal"} | options))


#: A camera's preset that does not exist yet, where it could be written.
OUT = str(Path(tempfile.gettempdir()) / "wm_test_no_camera.yaml")


def calibration(mode: str = "sim", **options) -> graph.Graph:
    return graph.calibrate(mode, **({"bundle": "/bundle", "out": OUT} | options))


def built(nodes: tuple[graph.NodeSpec, ...], name: str):
    """The configuration that the node makes of its parameters."""
    spec = next(spec for spec in nodes if spec.name == name)
    return graph.configuration(spec)


@pytest.mark.parametrize("declared", [declare, calibration])
@pytest.mark.parametrize("mode", graph.MODES)
def test_every_preset_fits_its_node(mode: str, declared: Callable[[str], graph.Graph]) -> None:
    for spec in declared(mode).nodes:
        assert graph.configuration(spec)


@pytest.mark.parametrize("declared", [declare, calibration])
@pytest.mark.parametrize("mode", graph.MODES)
def test_every_executable_is_installed(mode: str, declared: Callable[[str], graph.Graph]) -> None:
    scripts = (Path(graph.__file__).parent.parent / "setup.py").read_text()
    for spec in declared(mode).nodes:
        assert f'"{spec.executable} = {spec.module}:main"' in scripts


def test_planner_and_controller_get_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("limits: {speed_m_s: 0.2, step_m: 0.03}")
    nodes = declare(config=tmp_path, settings={"controller": {"limits.step_m": 0.02}}).nodes
    assert built(nodes, "planner").limits == built(nodes, "controller").limits
    limits = built(nodes, "planner").limits
    assert (limits.speed_m_s, limits.step_m) == (0.2, 0.02)
    assert limits.accel_m_s2 == 2.0, "of the preset, over which the file is layered"


def test_the_expert_acts_only_where_there_is_one_and_no_other_goal() -> None:
    assert declare(seed=7, goals=3).prepare == ("goals", "--seed", "7", "--count", "3", "--output", "/goal")
    assert declare(record_goal=False).prepare == ()
    assert declare("real").prepare == ()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no mode 'moon'; there are: mock_crisp, real, sim"):
        declare("moon")
    with pytest.raises(ConfigError, match="no node 'plannner' \\(did you mean 'planner'\\?\\); there are: controller,"):
        declare(settings={"plannner": {}})
    with pytest.raises(ConfigError, match=r"unknown key 'sampels'; did you mean 'samples'\?"):
        declare(settings={"planner": {"optimiser.sampels": 3}})
    with pytest.raises(ConfigError, match=r"unknown key 'samples'; did you mean 'optimiser.samples'\?"):
        declare(settings={"planner": {"samples": 3}})
    with pytest.raises(ConfigError, match="no configuration folder"):
        declare(config=tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match=r"has none of the files .*controller\.yaml.*; give the folder that has one"):
        declare(config=tmp_path)
    with pytest.raises(ConfigError, match=r"no arm preset 'fr3-crisp' \(did you mean 'fr3_crisp'\?\); there are: "):
        declare("real", arm="fr3-crisp")
    for missing in (tmp_path / "arm.yaml", "../planner/sim.yaml"):
        with pytest.raises(ConfigError, match=r"no arm preset at .*; give a file, or a name from config/arms"):
            declare("real", arm=str(missing))
    with pytest.raises(ConfigError, match=r"no arm preset '\.\./planner/sim'"):
        declare("real", arm="../planner/sim")


@pytest.mark.parametrize("seed", [-1, 2**32, 9999999999999999999])
@pytest.mark.parametrize("declared", [declare, calibration])
def test_a_seed_that_no_generator_takes_starts_nothing(seed: int, declared: Callable[..., graph.Graph]) -> None:
    with pytest.raises(ConfigError, match=f"the seed '{seed}' is no whole number within 0..4294967295; give one"):
        declared(seed=seed)


@pytest.mark.parametrize("name", graph._OURS)
def test_what_the_graph_says_cannot_be_said_by_others(name: str) -> None:
    with pytest.raises(ConfigError, match=f"controller.{name} is given by whoever starts the graph"):
        declare(settings={"controller": {name: "x"}})
    assert name in ("config", "settings") or name in declare().nodes[-1].parameters, "the graph does give it"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("pick_place.launch.py", "describe()"),
        ("calibrate.launch.py", "describe_calibration()"),
    ],
)
def test_the_launch_files_start_this_graph_and_nothing_else(file: str, says: str) -> None:
    """launch_ros is not on PyPI, so here the files are only read; where ROS 2 is installed they run."""

    def calls(path: Path) -> list[ast.Call]:
        return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

    assert [ast.unparse(call) for call in calls(share() / "launch" / file)] == [says]
    names = [ast.unparse(call.func) for call in calls(Path(graph.__file__).with_name("launching.py"))]
    assert all(names.count(name) == 1 for name in ("graph.pick_place", "graph.calibrate", "Node", "ExecuteProcess"))


def test_a_driver_that_runs_already_takes_the_place_of_the_camera_node() -> None:
    nodes = {spec.name: spec for spec in declare("real", camera="/cam/color").nodes}
    assert "camera" not in nodes
    wanted = ("camera/image_raw", "/cam/color"), ("camera/image_raw/compressed", "/cam/color/compressed")
    assert nodes["encoder"].remappings == wanted
    for mode in ("sim", "mock_crisp"):
        with pytest.raises(ConfigError, match="nobody reads the camera's topic /cam/color in mode"):
            declare(mode, camera="/cam/color")
    assert declare("real", camera="/cam/color/compressed").nodes == declare("real", camera="/cam/color").nodes


@pytest.mark.parametrize(
    "arm", [file.stem for file in (share() / "config" / "arms").glob("*.yaml") if file.stem != "sim"]
)
def test_a_dry_run_has_an_arm_that_moves_nothing_whatever_is_said(arm: str, tmp_path: Path) -> None:
    kind = built(declare("real", arm=arm).nodes, "controller").arm.kind
    (tmp_path / "controller.yaml").write_text(f"arm: {{kind: {kind}, gripper: {{kind: position}}}}\n")
    for config, settings in ((None, {}), (tmp_path, {}), (None, {"controller": {"arm.kind": kind}})):
        nodes = declare("real", arm=arm, dry_run=True, config=config, settings=settings).nodes
        assert built(nodes, "controller").arm.kind == "dry_run"
    assert kind != "dry_run"


def test_a_dry_run_is_refused_what_a_run_would_be() -> None:
    for settings in ({"arm.pose_topc": "x"}, {"arm.kind": "twist_stream"}, {"arm.tcp_m_rad": 6 * [0.1]}):
        said = []
        for dry_run in (False, True):
            with pytest.raises(ConfigError) as error:
                declare("real", dry_run=dry_run, settings={"controller": settings})
            said.append(str(error.value))
        assert said[0] == said[1]


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
    assert (mine.bundle, mine.out, mine.seed) == ("/bundle", OUT, 5)
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


def test_axes_are_written_into_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("limits: {speed_m_s: 0.1}\n")
    with pytest.raises(ConfigError, match=r"controller\.yaml\) has an unknown key 'limits'"):
        calibration(out=tmp_path / "controller.yaml")


@pytest.mark.parametrize(("out", "says"), [("/dev/zero", "no regular file"), ("/proc/no/camera.yaml", "cannot write")])
def test_where_the_axes_cannot_be_written_is_found_before_the_arm_moves(out: str, says: str) -> None:
    with pytest.raises(WmError, match=says):
        calibration(out=out)


def test_mistakes_in_a_calibration_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no mode 'moon'"):
        calibration("moon")
    with pytest.raises(ConfigError, match=r"no node 'planner'.*: calibrate, controller, encoder, sim_arm"):
        calibration(settings={"planner": {}})
    with pytest.raises(ConfigError, match="no configuration folder"):
        calibration(config=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no motion"):
        calibration(settings={"controller": {"limits.speed_m_s": 0.0}})


@pytest.mark.parametrize(("mode", "arm"), [("sim", "sim_arm"), ("mock_crisp", "crisp_arm")])
def test_the_simulated_camera_can_be_turned(mode: str, arm: str) -> None:
    assert built(calibration(mode).nodes, arm).camera_azimuth_deg == 0.0
    assert built(calibration(mode, settings={arm: {"camera_azimuth_deg": 30}}).nodes, arm).camera_azimuth_deg == 30.0
    for wrong in (181.0, float("nan")):
        with pytest.raises(ConfigError, match="camera_azimuth_deg"):
            calibration(mode, settings={arm: {"camera_azimuth_deg": wrong}})


def test_a_file_is_layered_over_the_arms_preset_which_stays_the_one_asked_for(tmp_path: Path) -> None:
    (tmp_path / "controller.yaml").write_text("limits: {speed_m_s: 0.05}\n")
    for arm in ("fr3_crisp", "droid", "fr3_servo_twist"):
        found = built(declare("real", arm=arm, config=tmp_path).nodes, "controller")
        preset = built(declare("real", arm=arm).nodes, "controller")
        assert found == replace(preset, limits=replace(preset.limits, speed_m_s=0.05))
        assert found.force_stop_n == 30.0 and found.robot is not None


def test_a_preset_of_ones_own_may_say_only_what_differs_from_its_base(tmp_path: Path) -> None:
    own, base = tmp_path / "arm.yaml", tmp_path / "base.yaml"
    own.write_text("base: ./base.yaml\nlimits: {step_m: 0.02}\n")
    base.write_text("base: arms/fr3_crisp\nlimits: {speed_m_s: 0.05, step_m: 0.03}\n")
    nodes = declare("real", arm=str(own), config=tmp_path).nodes
    shipped = built(declare("real").nodes, "controller")
    assert built(nodes, "controller") == replace(shipped, limits=replace(shipped.limits, speed_m_s=0.05, step_m=0.02))
    assert built(nodes, "planner").limits == built(nodes, "controller").limits
    for text, says in (
        ("limits: {speed_m_s: 3}\n", r"controller \(.*base\.yaml\): limits: .*can only tighten"),
        ("limits: {sped: 3}\n", r"controller \(.*base\.yaml\): limits has an unknown key 'sped'"),
        ("role: planner\n", r"nobody reads 'role' in .*base\.yaml"),
        ("base: arms/fr3\n", r"base\.yaml: base: there is no preset 'arms/fr3'"),
    ):
        base.write_text(text if "base:" in text else f"base: arms/fr3_crisp\n{text}")
        with pytest.raises(ConfigError, match=says):
            declare("real", arm=str(own), config=tmp_path)


def test_every_nodes_file_is_layered_over_its_preset(tmp_path: Path) -> None:
    (tmp_path / "planner.yaml").write_text("subgoals: {budget_steps: 9}\n")
    (tmp_path / "sim_arm.yaml").write_text("camera_azimuth_deg: 10\n")
    (tmp_path / "camera.yaml").write_text("source: {fps: 15}\n")
    simulated, plain = declare(config=tmp_path).nodes, declare().nodes
    planner, preset = built(simulated, "planner"), built(plain, "planner")
    assert planner == replace(preset, subgoals=replace(preset.subgoals, budget_steps=9.0))
    assert built(simulated, "sim_arm") == replace(built(plain, "sim_arm"), camera_azimuth_deg=10.0)
    camera = built(declare("real", config=tmp_path).nodes, "camera")
    assert (camera.source.fps, camera.source.width) == (15.0, 640)


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[str], Path]:
    """bundle(the preset that it names, its files) -> its folder, of which the graph reads no more than this."""

    def make(planner: str, **files: str) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        spec = read_yaml(paths.bundle_folder(paths.DEFAULT_BUNDLE) / SPEC_NAME)
        spec |= {"planner": planner, "files": {f"{name}.yaml": "0" for name in files}}
        (folder / SPEC_NAME).write_text(yaml.safe_dump(spec))
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text)
        return folder

    return make


@pytest.mark.parametrize("mode", graph.MODES)
@pytest.mark.parametrize("name", ["panda_pick_place", "panda_pick_place_cem", "vjepa2_ac"])
def test_a_bundle_names_the_preset_of_its_planner(bundle: Callable[..., Path], name: str, mode: str) -> None:
    made = declare(mode, bundle=bundle(name))
    alone = load(PlannerNodeConfig, paths.preset("planner", name))
    found = built(made.nodes, "planner")
    for key in (*(field.name for field in fields(PlannerConfig)), "backend", "memory_mb"):
        assert getattr(found, key) == getattr(alone, key)
    assert made.notes == ()


def test_a_bundle_may_bring_the_preset_itself(bundle: Callable[..., Path], tmp_path: Path) -> None:
    folder = bundle("how.yaml", how="horizon: 3\noptimiser: {samples: 48}\n")
    found = built(declare(bundle=folder).nodes, "planner")
    assert (found.horizon, found.optimiser.samples) == (3, 48)
    (tmp_path / "planner.yaml").write_text("optimiser: {samples: 32}\n")
    found = built(declare(bundle=folder, config=tmp_path).nodes, "planner")
    assert (found.horizon, found.optimiser.samples) == (3, 32)
    (folder / "how.yaml").write_text("limits: {speed_m_s: 0.2}\n")
    with pytest.raises(ConfigError, match=r"nobody reads 'limits' in .*how\.yaml"):
        declare(bundle=folder)


def test_a_bundle_that_names_what_there_is_not_is_refused(bundle: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"there is no planner preset 'panda'; there are: .*vjepa2_ac"):
        declare(bundle=bundle("panda"))


def test_a_bundle_that_names_none_is_said(bundle: Callable[..., Path]) -> None:
    (note,) = declare("real", bundle=bundle("")).notes
    assert "names no preset for its planner" in note


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("controler.yaml", "", r"nobody reads .*controler\.yaml'; did you mean 'controller\.yaml'\?"),
        ("controller.yml", "", r"nobody reads .*controller\.yml'; did you mean 'controller\.yaml'\?"),
        ("Planner.yaml", "", r"nobody reads .*Planner\.yaml'; did you mean 'planner\.yaml'\?"),
        ("notes.YAML", "", r"nobody reads .*notes\.YAML'; rename or remove it \(files: calibrate\.yaml, camera\.yaml"),
        ("planner.yaml", "limits: {}", r"nobody reads 'limits' in .*planner\.yaml: .*controller's \(.*sim\.yaml"),
        ("planner.yaml", "measured: {}", r"nobody reads 'measured' in .*planner\.yaml"),
        ("planner.yaml", "bundle: x", r"nobody reads 'bundle' in .*planner\.yaml: it is given by whoever starts"),
        ("planner.yaml", "goal: x", r"nobody reads 'goal' in .*planner\.yaml"),
        ("sim_arm.yaml", "seed: 5", r"nobody reads 'seed' in .*sim_arm\.yaml"),
        ("controller.yaml", "role: planner", r"nobody reads 'role' in .*controller\.yaml"),
        ("controller.yaml", "arm: {kind: twist-stream}", r"did you mean 'twist_stream'\?"),
        ("camera.yaml", "axess: {}", r"camera\.yaml\) has an unknown key 'axess'; did you mean 'axes'\?"),
        ("camera.yaml", "axes: {yaw: 1}", r"camera\.yaml\): axes has an unknown key 'yaw'; did you mean 'yaw_rad'"),
        ("planner.yaml", "horizon: 1\nhorizon: 2", r"planner\.yaml has the key 'horizon' twice, in the lines 1 and 2"),
        ("controller.yaml", "arm: {twist: {}}", "arm has an unknown key 'twist'; remove it, there are: g"),
        ("controller.yaml", "arm: {gripper: {force_n: 9}}", "arm: gripper has an unknown key 'force_n'; remove it"),
        (
            "controller.yaml",
            "joint_margin_rad: 0.2",
            "nobody reads 'joint_margin_rad' unless 'robot' is fr3 or fer",
        ),
        ("controller.yaml", "max_condition: 9", "nobody reads 'max_condition' unless 'robot'"),
        ("planner.yaml", "costs: {goal: {final_weight: 2}}", "nobody reads 'final_weight' unless 'mode' is cumul"),
        ("planner.yaml", "costs: {gaol: {}}", r"costs.gaol: there is no cost 'gaol' \(did you mean 'goal'\?\)"),
    ],
)
def test_what_nobody_reads_is_refused_by_name(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        declare(config=tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_an_arms_preset_in_the_folder_is_given_as_such(tmp_path: Path) -> None:
    shutil.copyfile(paths.preset("arms", "fr3_crisp"), tmp_path / "arm.yaml")
    with pytest.raises(ConfigError, match=r"If it is the arm's preset, give it as such: arm:=.*arm\.yaml \(wm: --arm"):
        declare("real", config=tmp_path)


def test_axes_in_two_files_name_both(tmp_path: Path) -> None:
    (tmp_path / "planner.yaml").write_text("axes: {yaw_rad: 0.1}\n")
    assert built(declare(config=tmp_path).nodes, "planner").axes.yaw_rad == 0.1
    (tmp_path / "camera.yaml").write_text("axes: {yaw_rad: 0.2}\n")
    with pytest.raises(ConfigError, match=r"'axes' in .*planner\.yaml: .*camera's \(.*camera\.yaml\); remove it there"):
        declare(config=tmp_path)


def test_a_folder_may_hold_what_is_no_configuration(tmp_path: Path) -> None:
    for name in ("README.md", ".controler.yaml.swp", "planner.yaml~", "notes"):
        (tmp_path / name).write_text("anything")
    shutil.copyfile(paths.preset("arms", "fr3_crisp"), tmp_path / "my_arm.yaml")
    (tmp_path / "goals").mkdir()
    assert declare("real", arm=str(tmp_path / "my_arm.yaml"), config=tmp_path).nodes
    with pytest.raises(ConfigError, match="nobody reads"):
        declare("real", config=tmp_path)


@pytest.mark.parametrize(
    "name",
    ["controller.yaml ", " controller.yaml", "controller.json", "Controller.TOML", "controller.yaml.txt", "planner",
     "controller.yaml\n", "controller.cfg", "camera.ini"],
)  # fmt: skip
def test_what_is_nearly_a_nodes_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("limits: {speed_m_s: 0.01}\n")
    with pytest.raises(ConfigError, match=r"nobody reads '.*'; did you mean '\w+\.yaml'") as error:
        declare(config=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["controller.yaml", "planner.yaml", "crisp_arm.yaml"])
def test_a_nodes_file_must_be_one(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    for make, says in (
        (lambda: file.symlink_to("/nowhere/x.yaml"), "a link to nothing"),
        (lambda: file.symlink_to(name), "a link to nothing|symbolic links"),
        (lambda: file.symlink_to(tmp_path), "a folder"),
        (lambda: os.mkfifo(file), "no regular file"),
        (file.mkdir, "a folder"),
    ):
        make()
        with pytest.raises(ConfigError, match=rf"{name} cannot be read: .*({says}); mend or remove it"):
            declare(config=tmp_path)
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink()
    (tmp_path / "elsewhere").write_text("")
    file.symlink_to(tmp_path / "elsewhere")
    assert declare(config=tmp_path).nodes


def test_a_folder_or_link_with_a_yaml_name_is_not_overlooked_either(tmp_path: Path) -> None:
    (tmp_path / "controler.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"nobody reads .*controler\.yaml'; did you mean 'controller\.yaml'"):
        declare(config=tmp_path)
    (tmp_path / "controler.yaml").rmdir()
    (tmp_path / "notes.yml").symlink_to("/nowhere")
    with pytest.raises(ConfigError, match=r"nobody reads .*notes\.yml'"):
        declare(config=tmp_path)


@pytest.mark.parametrize("text", ["limits:", "measured: null", "limits: {speed_m_s: '0.1'}", "measured: 5",
                                  "limits: {speed_m_s: 9}", "limits: {sped: 1}", "base_frame: 3",
                                  "measured: {gripper: {slack: 1}}"])  # fmt: skip
@pytest.mark.parametrize("mode", graph.MODES)
def test_what_the_planner_takes_from_the_controllers_file_is_blamed_on_that(
    mode: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "controller.yaml").write_text(text + "\n")
    for declared in (declare, calibration):
        with pytest.raises(ConfigError, match=r"^the configuration of controller \(.*controller\.yaml\)"):
            declared(mode, config=tmp_path)


@pytest.mark.parametrize("name", ["bundle", "arm", "camera", "config"])
def test_an_empty_word_is_no_place(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is empty, such as a shell variable that is not set"):
        declare("real", **{name: ""})


def test_a_setting_may_be_null_and_a_list_may_mix_numbers() -> None:
    settings = {"planner": {"subgoals.plateau_steps": None}, "controller": {"limits.box_min_m": [0.3, 0, 0.1]}}
    nodes = declare(settings=settings).nodes
    assert built(nodes, "planner").subgoals.plateau_steps is None
    assert built(nodes, "planner").limits.box_min_m == (0.3, 0.0, 0.1)


def test_a_planner_without_a_preset_is_said(tmp_path: Path) -> None:
    (note,) = declare("real").notes
    assert "names no preset for its planner" in note and "defaults" in note and "planner.yaml" in note
    (tmp_path / "planner.yaml").write_text("horizon: 1\n")
    assert declare("real", config=tmp_path).notes == () == declare(bundle=paths.bundle_folder("panda_pick_place")).notes
