"""The node graph, declared once: ``wm`` and the launch files both start exactly this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_core.axes import SECTION as AXES
from wm_core.config import read_yaml
from wm_core.errors import ConfigError
from wm_ros import params

from . import paths

#: "mock_crisp" is the simulated cell behind the topics of a real arm that runs CRISP.
MODES = ("sim", "mock_crisp", "real")
#: The arm preset (``config/arms/<name>.yaml``) of each mode, if none is named.
ARMS = {"sim": "sim", "mock_crisp": "fr3_crisp", "real": "fr3_crisp"}
#: The parameter of every node that names its YAML file; see wm_ros/params.py.
CONFIG_PARAMETER = "config"


@dataclass(frozen=True)
class NodeSpec:
    """One node, one process. ``module`` runs as ``python -m``; ``executable`` is its console script."""

    name: str
    module: str
    parameters: dict[str, Any] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    respawn: bool = False  # a node that died has lost its state: the run ends and says so

    @property
    def executable(self) -> str:
        return self.module.rpartition(".")[2]


@dataclass(frozen=True)
class Graph:
    """``prepare`` holds arguments of ``wm`` for what must have ended well before the nodes start; () for nothing."""

    nodes: tuple[NodeSpec, ...]
    prepare: tuple[str, ...] = ()


def pick_place(
    mode: str,
    *,
    bundle: str | Path,
    goal: str | Path,
    arm: str | None = None,
    camera: str | None = None,
    dry_run: bool = False,
    seed: int = 0,
    goals: int = 8,
    record_goal: bool = True,
    config: str | Path | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Graph:
    """The graph of a pick and place.

    Args:
        mode: "sim" (MuJoCo arm and camera), "mock_crisp" (the same behind a real arm's topics) or "real".
        arm: preset of the arm, a name from ``config/arms`` or a path; None: that of the mode.
        camera: topic of a camera driver that runs already; None: the camera node of ``config/camera``. Real mode only.
        dry_run: everything runs, but what would move the arm goes to topics that nobody listens to.
        bundle: folder of the model bundle.
        goal: folder of the goal pictures.
        seed: of the simulated scene.
        goals: how many pictures the simulated expert takes.
        record_goal: whether the simulated expert first fills ``goal``.
        config: folder with ``<node>.yaml`` files that replace the presets ``config/<node>/<mode>.yaml``.
        settings: parameters by node, above all files: ``{"planner": {"samples": 128}}``.
    Raises:
        ConfigError: the mode, the folder or a node in ``settings`` does not exist, or a file cannot be read.
    """
    nodes = _nodes(mode, "planner", {"goal": str(goal)}, bundle, arm, camera, dry_run, seed, config, settings)
    recorded = mode != "real" and record_goal
    prepare = "goals", "--seed", str(seed), "--count", str(goals), "--output", str(goal)
    return Graph(nodes, prepare if recorded else ())


def calibrate(
    mode: str,
    *,
    bundle: str | Path,
    out: str | Path,
    arm: str | None = None,
    camera: str | None = None,
    seed: int = 0,
    config: str | Path | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Graph:
    """The graph of a camera's calibration: that of a pick and place, with calibrate_node in the planner's place.

    Args:
        out: the camera's preset, into which the axes are written.
        seed: of the moves, and of the simulated scene.
    The others, and what is raised, are as in :func:`pick_place`.
    """
    own = {"out": str(out), "seed": seed}
    return Graph(_nodes(mode, "calibrate", own, bundle, arm, camera, False, seed, config, settings))


def _nodes(
    mode: str,
    brain: str,
    brain_says: dict[str, Any],
    bundle: str | Path,
    arm: str | None,
    camera: str | None,
    dry_run: bool,
    seed: int,
    config: str | Path | None,
    settings: dict[str, dict[str, Any]] | None,
) -> tuple[NodeSpec, ...]:
    """All nodes. ``brain`` is the one whose plans move the arm, with the parameters ``brain_says``."""
    if mode not in MODES:
        raise ConfigError(f"mode '{mode}' is not one of {', '.join(MODES)}")
    # A real camera's driver names its frame as it likes; that of the simulator is known, and no other is taken.
    model = {"bundle": str(bundle), **({"camera_frame": "camera"} if mode != "real" else {})}
    own: dict[str, dict[str, Any]] = {
        **({_SIMULATOR[mode]: {"seed": seed}} if mode != "real" else {"camera": {}} if camera is None else {}),
        "encoder": model,
        brain: {**model, **brain_says},
        "controller": {
            "role": brain,
            **(_NOWHERE if dry_run else {}),
            **(_MOCK_REPORTS if mode == "mock_crisp" else {}),
        },
    }
    for name in {} if settings is None else settings:
        if name not in own:
            raise ConfigError(f"there is no node '{name}' to configure; the nodes are {', '.join(own)}")
    files = {name: _file(mode, config, name, arm or ARMS[mode]) for name in own}
    parameters = {
        name: {
            **({} if files[name] is None else {CONFIG_PARAMETER: str(files[name])}),
            **values,
            **({} if settings is None else settings.get(name, {})),
        }
        for name, values in own.items()
    }
    # One declaration of the arm serves both; who plans and the controller still apply its limits independently.
    arm_says = _shared(parameters["controller"], _SHARED)
    # How the model's axes lie is the camera's to say, also where no node of ours reads it.
    seen_from = _file(mode, config, "camera", "")
    camera_says = {} if seen_from is None else _shared({CONFIG_PARAMETER: str(seen_from)}, (AXES,))
    parameters[brain] = {**arm_says, **camera_says, **parameters[brain]}
    remappings = () if camera is None else ((CAMERA_TOPIC, camera),)
    return tuple(NodeSpec(name, _MODULES[name], parameters[name], remappings) for name in own)


CAMERA_TOPIC = "camera/image_raw"
#: Where a dry run sends what would move an arm.
_NOWHERE = {"arm.pose_topic": "dry_run/target_pose", "arm.twist.topic": "dry_run/twist", "arm.gripper.kind": "none"}
#: The stand-in has no franka_msgs to report its mode and errors with, and says the same as JSON.
_MOCK_REPORTS = {"measured.robot_format": "json"}
_SIMULATOR = {"sim": "sim_arm", "mock_crisp": "crisp_arm"}
_MODULES = {
    "sim_arm": "wm_sim.sim_arm_node",
    "crisp_arm": "wm_sim.crisp_arm_node",
    "camera": "wm_perception.camera_node",
    "encoder": "wm_perception.encoder_node",
    "planner": "wm_planner.planner_node",
    "calibrate": "wm_planner.calibrate_node",
    "controller": "wm_controller.controller_node",
}


def environment(mode: str) -> dict[str, str]:
    """Environment that all processes of the graph share; what the user has set goes before it."""
    defaults = {"OMP_NUM_THREADS": "1"}  # the nodes share the cores
    if mode != "real":
        return {**defaults, "MUJOCO_GL": "egl", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    # Stock Fast DDS loses best-effort messages above 0.5 MB, such as a camera's full frames (rmw_fastrtps#739).
    return {**defaults, "FASTRTPS_DEFAULT_PROFILES_FILE": str(paths.share() / "config" / "fastdds.xml")}


#: What planner and controller must read alike of an arm's preset.
_SHARED = ("limits", "measured", "base_frame")


def _file(mode: str, config: str | Path | None, name: str, arm: str) -> Path | None:
    """The node's YAML file, if it has one."""
    if config is not None and not Path(config).is_dir():
        raise ConfigError(f"there is no configuration folder {config}; it should hold files such as planner.yaml")
    own = [] if config is None else [Path(config) / f"{name}.yaml"]
    if name == "controller":
        preset = Path(arm) if arm.endswith((".yaml", ".yml")) else paths.preset("arms", arm)
        if not preset.is_file():
            raise ConfigError(f"there is no arm preset {arm}; see config/arms for those that there are")
    else:
        preset = paths.preset(name, mode if mode == "real" else "sim")  # the planner's is that of the simulated cell
    return next((path.resolve() for path in [*own, preset] if path.is_file()), None)


def _shared(parameters: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of a node's parameters that begin with one of ``names``, as parameters of another node."""
    file = parameters.get(CONFIG_PARAMETER)
    values = {} if file is None else read_yaml(file)
    # Another type than it should have is for the node to refuse.
    flat = params.flatten({key: values[key] for key in names if key in values})
    return {**flat, **{key: value for key, value in parameters.items() if key.split(".")[0] in names}}
