"""The node graph, declared once: ``wm`` and the launch files both start exactly this."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wm_controller.node_config import ControllerNodeConfig
from wm_core import axes, parameters, seeds
from wm_core.axes import SECTION as AXES
from wm_core.config import Setting, explain, read_layers
from wm_core.errors import ConfigError
from wm_core.names import unknown
from wm_core.parameters import CONFIG_PARAMETER, SETTINGS_PARAMETER
from wm_core.topics import CAMERA, CONTROLLER
from wm_perception.node_config import CameraConfig

from . import guards, presets, transport

#: "mock_crisp" is the simulated cell behind the topics of a real arm that runs CRISP.
MODES = ("sim", "mock_crisp", "real")
#: The arm preset (``config/arms/<name>.yaml``) of each mode, if none is named.
ARMS = {"sim": "sim", "mock_crisp": "fr3_crisp", "real": "fr3_crisp"}


@dataclass(frozen=True)
class NodeSpec:
    """One node, one process. ``module`` runs as ``python -m``; ``executable`` is its console script."""

    name: str
    module: str
    parameters: dict[str, Any] = field(default_factory=dict)  # of :func:`wm_ros.parameters.build`
    remappings: tuple[tuple[str, str], ...] = ()
    respawn: bool = False  # a node that died has lost its state: the run ends and says so

    @property
    def executable(self) -> str:
        return self.module.rpartition(".")[2]


@dataclass(frozen=True)
class Graph:
    """``prepare`` holds arguments of ``wm`` for what must have ended well before the nodes start; () for nothing.

    ``notes`` are sentences that a person should read before anything moves.
    """

    nodes: tuple[NodeSpec, ...]
    prepare: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """What all graphs have in common.

    Args:
        mode: "sim" (MuJoCo arm and camera), "mock_crisp" (the same behind a real arm's topics) or "real".
        bundle: folder of the model bundle.
        arm: preset of the arm, a name from ``config/arms`` or a path; None: that of the mode.
        planner: preset of the planner, a name from ``config/planner`` or a path; None: the one that the bundle names.
        camera: topic of a camera driver that runs already; None: the camera node of ``config/camera``. Real mode only.
        dry_run: everything runs, but the controller gets an arm that moves nothing.
        seed: of the simulated scene, and of a calibration's moves.
        config: folder with ``<node>.yaml`` files, layered over the presets: for the controller the arm's, for the
            planner the one that the bundle names, for others ``config/<node>/<mode>.yaml``.
        settings: parameters by node, above all files: ``{"planner": {"optimiser.samples": 128}}``.
        launcher_pid: process by whose life the controller may move the arm; 0: its parent.
        launcher_heartbeat: whether that process publishes ``launcher/heartbeat``, without which nothing moves.
        drop_guards: names of :func:`wm_bringup.guards.table` that the configuration may drop or loosen.
    """

    mode: str
    bundle: str | Path
    arm: str | None = None
    planner: str | None = None
    camera: str | None = None
    dry_run: bool = False
    seed: int = 0
    config: str | Path | None = None
    settings: dict[str, dict[str, Any]] | None = None
    drop_guards: Sequence[str] = ()
    launcher_pid: int = 0
    launcher_heartbeat: bool = False


def pick_place(mode: str, *, goal: str | Path, goals: int = 8, record_goal: bool = True, **cell: Any) -> Graph:
    """The graph of a pick and place in a :class:`Cell`.

    Args:
        goal: folder of the goal pictures.
        goals: how many pictures the simulated expert takes.
        record_goal: whether the simulated expert first fills ``goal``.
    Raises:
        ConfigError: something in the cell does not exist, a file cannot be read, a value is not usable, or a real arm
            would lack a guard.
    """
    made = Cell(mode, **cell)
    prepare = "goals", "--seed", str(made.seed), "--count", str(goals), "--output", str(goal)
    return _graph(made, "planner", {"goal": str(goal)}, prepare if mode != "real" and record_goal else ())


def calibrate(mode: str, *, out: str | Path, **cell: Any) -> Graph:
    """The graph of a camera's calibration: that of a pick and place, with calibrate_node in the planner's place.

    ``out`` is the camera's preset, into which the axes are written. What is raised is as in :func:`pick_place`, and
    WmError where that cannot be written.
    """
    made = Cell(mode, **cell)
    axes.check(out)  # what cannot take them is refused now, not when all moves are made
    if Path(out).exists():
        parameters.build(CameraConfig, {CONFIG_PARAMETER: str(out)}, "camera")
    return _graph(made, "calibrate", {"out": str(out), "seed": made.seed}, ())


def _graph(cell: Cell, brain: str, brain_says: dict[str, Any], prepare: tuple[str, ...]) -> Graph:
    """``brain`` is the node whose plans move the arm, with the parameters ``brain_says``."""
    mode, camera = cell.mode, cell.camera
    for name in ("bundle", "arm", "planner", "camera", "config"):
        if getattr(cell, name) == "":
            raise ConfigError(f"{name} is empty, such as a shell variable that is not set; give it, or leave it out")
    if mode not in MODES:
        raise ConfigError(unknown("mode", mode, MODES))
    seeds.checked(cell.seed)
    if camera is not None and mode != "real":
        raise ConfigError(f"nobody reads the camera's topic {camera} in mode {mode}, which has a camera; leave it out")
    # A real camera's driver names its frame as it likes; that of the simulator is known, and no other is taken.
    model = {"bundle": str(cell.bundle), **({"camera_frame": "camera"} if mode != "real" else {})}
    own: dict[str, dict[str, Any]] = {
        **({_SIMULATOR[mode]: {"seed": cell.seed}} if mode != "real" else {"camera": {}} if camera is None else {}),
        "encoder": model,
        brain: {**model, **brain_says},
        "controller": {
            "role": brain,
            "launcher_pid": cell.launcher_pid,
            "launcher_heartbeat": cell.launcher_heartbeat,
            **(_MOCK_REPORTS if mode == "mock_crisp" else {}),
        },
    }
    settings = {} if cell.settings is None else cell.settings
    for name in settings:
        if name not in own:
            raise ConfigError(unknown("node", name, own))
        for key in settings[name]:
            if key in _OURS:
                raise ConfigError(f"{name}.{key} is given by whoever starts the graph; it cannot be set besides")
    arm, folder = (
        presets.arm(ARMS[mode] if cell.arm is None else cell.arm),
        None if cell.config is None else Path(cell.config),
    )
    if folder is not None:
        presets.check_folder(folder, _MODULES, beside=[Path(place) for place, _ in read_layers(arm)])
    shipped = {CONTROLLER: arm, "planner": presets.planner(Path(cell.bundle), cell.planner)}
    files = {name: presets.files(name, mode, folder, shipped) for name in (*own, "camera")}
    if files["camera"]:  # also where no node of ours reads it all
        parameters.build(CameraConfig, {CONFIG_PARAMETER: files["camera"]}, "camera")
    # One declaration of the arm serves both; who plans and the controller still apply its limits independently. How the
    # model's axes lie is the camera's to say, also where no node of ours reads it.
    arm_says = _shared(files["controller"], settings.get("controller", {}), _SHARED)
    camera_says = _shared(files["camera"], settings.get("camera", {}), (AXES,))
    _refuse_unread(files, own, brain, camera_says)
    nodes = []
    for name, values in own.items():
        given: dict[str, Any] = {CONFIG_PARAMETER: [str(file) for file in files[name]]} if files[name] else {}
        given |= {**arm_says, **camera_says} if name == brain else {}
        given |= {**values, **settings.get(name, {})}
        remappings = () if camera is None else camera_remappings(camera)
        nodes.append(NodeSpec(name, _MODULES[name][0], given, remappings))
    controller = configuration(nodes[-1])  # first: what is wrong in its files would be blamed on those who share them
    _check_guards(cell, arm, controller, own["controller"])
    for spec in nodes:
        configuration(spec)
    if cell.dry_run:  # above all that anybody says; what would be refused without it was refused
        said = {key: value for key, value in nodes[-1].parameters.items() if key.partition(".")[0] != "arm"}
        nodes[-1] = replace(nodes[-1], parameters={**said, **_DRY_RUN})
    unplanned = brain == "planner" and not files["planner"]
    return Graph(tuple(nodes), prepare, (_NO_PLANNER_PRESET,) if unplanned else ())


def _check_guards(cell: Cell, arm: Path, controller: ControllerNodeConfig, ours: dict[str, Any]) -> None:
    """``arm`` is its preset, ``ours`` what the graph itself says to the controller. Raises ConfigError."""
    simulated, of_simulator = cell.mode == "sim", arm == presets.arm(ARMS["sim"])
    if simulated:
        guards.check_simulated(controller, str(arm))
    if of_simulator and not simulated:
        raise ConfigError(guards.simulators(str(arm)))
    if of_simulator:
        if cell.drop_guards:
            guards.known(cell.drop_guards, guards.table(controller, controller))
            raise ConfigError(f"the guard {cell.drop_guards[0]} is of a real arm; leave out --drop-guard in simulation")
        return
    preset = parameters.build(ControllerNodeConfig, {CONFIG_PARAMETER: str(arm), **ours}, "controller")
    guards.check(preset, controller, cell.drop_guards, str(arm), () if simulated else guards.FRANKA)


def configuration(spec: NodeSpec) -> Any:
    """The configuration that a node of the graph makes of its parameters. Raises ConfigError."""
    _, module, name = _MODULES[spec.name]
    return parameters.build(getattr(importlib.import_module(module), name), spec.parameters, spec.name)


def effective(graph: Graph) -> dict[str, list[Setting]]:
    """What each node of the graph is configured by, and where each value comes from."""
    found = {}
    for spec in graph.nodes:
        layers = [(place or GIVEN, values) for place, values in parameters.layers(spec.parameters, spec.name)]
        found[spec.name] = explain(configuration(spec), layers)
    arm = {setting.key: setting.place for setting in found[CONTROLLER]}
    for name in set(found) & {"planner", "calibrate"}:  # the graph tells them what the arm's files say
        shared = [setting.key.partition(".")[0] in _SHARED for setting in found[name]]
        found[name] = [
            replace(setting, place=arm.get(setting.key, setting.place)) if of_arm else setting
            for setting, of_arm in zip(found[name], shared, strict=True)
        ]
    return found


#: The place of a value that no file says.
GIVEN = "given"
#: Whatever its preset says, the controller of a dry run has an arm that moves nothing.
_DRY_RUN = {"arm.kind": "dry_run"}
#: Parameters that no setting may replace: with them the files' layers, or the watch over the launcher, would be gone.
_OURS = (CONFIG_PARAMETER, SETTINGS_PARAMETER, "role", "launcher_pid", "launcher_heartbeat")
#: The stand-in has no franka_msgs to report its mode and errors with, and says the same as JSON.
_MOCK_REPORTS = {"measured.robot_format": "json"}
_NO_PLANNER_PRESET = (
    "the model bundle names no preset for its planner, which runs with the defaults of its code: give it one as "
    "planner.yaml in the folder of --config (config:=), such as a copy of one of config/planner"
)
_SIMULATOR = {"sim": "sim_arm", "mock_crisp": "crisp_arm"}
#: Node -> its module, and where the dataclass is that it is configured by; none of the latter needs ROS.
_MODULES = {
    "sim_arm": ("wm_sim.sim_arm_node", "wm_sim.node_config", "SimArmConfig"),
    "crisp_arm": ("wm_sim.crisp_arm_node", "wm_sim.node_config", "CrispArmConfig"),
    "camera": ("wm_perception.camera_node", "wm_perception.node_config", "CameraConfig"),
    "encoder": ("wm_perception.encoder_node", "wm_perception.node_config", "EncoderConfig"),
    "planner": ("wm_planner.planner_node", "wm_planner.node_config", "PlannerNodeConfig"),
    "calibrate": ("wm_planner.calibrate_node", "wm_planner.node_config", "CalibrateNodeConfig"),
    CONTROLLER: ("wm_controller.controller_node", "wm_controller.node_config", "ControllerNodeConfig"),
}


def environment(mode: str) -> dict[str, str]:
    """Environment that all processes of the graph share; what the user has set goes before it."""
    defaults = {"OMP_NUM_THREADS": "1"}  # the nodes share the cores
    if mode != "real":
        return {**defaults, "MUJOCO_GL": "egl", transport.RANGE: transport.LOCALHOST}
    return {**defaults, **transport.frames()}


def node_environment(spec: NodeSpec, environment: Mapping[str, str]) -> dict[str, str]:
    """What a node's environment has besides ``environment``; with it parameters that ``spec`` lacks are refused."""
    own = transport.of_controller(environment) if spec.name == CONTROLLER else {}
    return {**own, **parameters.environment(spec.parameters)}


#: What planner and controller must read alike of an arm's preset.
_SHARED = ("limits", "measured", "base_frame")


def _shared(files: Sequence[Path], settings: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of a node's parameters that begin with one of ``names``, as parameters of another node."""
    values = presets.said(files)
    # Another type than it should have is for the node to refuse.
    flat = parameters.flatten({key: values[key] for key in names if key in values})
    return {**flat, **{key: value for key, value in settings.items() if key.split(".")[0] in names}}


def _refuse_unread(
    files: dict[str, tuple[Path, ...]], own: dict[str, dict[str, Any]], brain: str, camera_says: dict[str, Any]
) -> None:
    """Refuse what a file says in vain, because it is read in another place. Raises ConfigError."""
    for name, values in own.items():
        presets.refuse(dict.fromkeys((*values, *_OURS), "it is given by whoever starts the graph"), files[name])
    arm = f"the {brain} takes it from the controller's ({', '.join(map(str, files['controller']))})"
    camera = f"the {brain} takes it from the camera's ({', '.join(map(str, files['camera']))})"
    elsewhere = dict.fromkeys(_SHARED, arm) | ({AXES: camera} if camera_says else {})
    presets.refuse(elsewhere, files[brain])


def camera_remappings(camera: str) -> tuple[tuple[str, str], ...]:
    """The topic of a camera's driver in the place of ours, and with it the one of its compressed pictures."""
    raw, compressed = camera.removesuffix(_COMPRESSED), _COMPRESSED
    return (CAMERA.name, raw), (CAMERA.name + compressed, raw + compressed)


#: What image_transport adds to a topic's name.
_COMPRESSED = "/compressed"
