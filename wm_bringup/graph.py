"""The node graph, declared once: ``wm`` and the launch files both start exactly this."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_core.config import read_yaml
from wm_core.errors import ConfigError

from . import paths

MODES = ("sim", "real")
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
    seed: int = 0,
    goals: int = 8,
    record_goal: bool = True,
    config: str | Path | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Graph:
    """The graph of a pick and place.

    Args:
        mode: "sim" (MuJoCo arm and camera) or "real" (a camera, and an arm that runs CRISP).
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
    if mode not in MODES:
        raise ConfigError(f"mode '{mode}' is not one of {', '.join(MODES)}")
    # A real camera's driver names its frame as it likes; that of the simulator is known, and no other is taken.
    model = {"bundle": str(bundle), **({"camera_frame": "camera"} if mode == "sim" else {})}
    own: dict[str, dict[str, Any]] = {
        **({"sim_arm": {"seed": seed}} if mode == "sim" else {"camera": {}}),
        "encoder": model,
        "planner": {**model, "goal": str(goal)},
        "controller": {},
    }
    for name in {} if settings is None else settings:
        if name not in own:
            raise ConfigError(f"there is no node '{name}' to configure; the nodes are {', '.join(own)}")
    files = {name: _file(mode, config, name) for name in own}
    parameters = {
        name: {
            **({} if files[name] is None else {CONFIG_PARAMETER: str(files[name])}),
            **values,
            **({} if settings is None else settings.get(name, {})),
        }
        for name, values in own.items()
    }
    # One declaration of the limits serves both; planner and controller still apply them independently.
    parameters["planner"] = {**_limits(parameters["controller"]), **parameters["planner"]}
    return Graph(
        nodes=tuple(
            NodeSpec(name, _MODULES[name], parameters[name], remappings=_REAL_TOPICS if mode == "real" else ())
            for name in own
        ),
        prepare=("goals", "--seed", str(seed), "--count", str(goals), "--output", str(goal))
        if mode == "sim" and record_goal
        else (),
    )


_MODULES = {
    "sim_arm": "wm_sim.sim_arm_node",
    "camera": "wm_perception.camera_node",
    "encoder": "wm_perception.encoder_node",
    "planner": "wm_planner.planner_node",
    "controller": "wm_controller.controller_node",
}


def environment(mode: str) -> dict[str, str]:
    """Environment that all processes of the graph share; what the user has set goes before it."""
    defaults = {"OMP_NUM_THREADS": "1"}  # the nodes share the cores
    if mode == "sim":
        return {**defaults, "MUJOCO_GL": "egl", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    # Stock Fast DDS loses best-effort messages above 0.5 MB, such as a camera's full frames (rmw_fastrtps#739).
    return {**defaults, "FASTRTPS_DEFAULT_PROFILES_FILE": str(paths.share() / "config" / "fastdds.xml")}


#: franka_ros2's state broadcaster (best effort, standard messages). The gripper's driver must publish ``arm/gripper``.
_REAL_TOPICS = (
    ("arm/current_pose", "franka_robot_state_broadcaster/current_pose"),
    ("arm/wrench", "franka_robot_state_broadcaster/external_wrench_in_base_frame"),
)


def _file(mode: str, config: str | Path | None, name: str) -> Path | None:
    """The node's YAML file, if it has one."""
    if config is not None and not Path(config).is_dir():
        raise ConfigError(f"there is no configuration folder {config}; it should hold files such as planner.yaml")
    own = [] if config is None else [Path(config) / f"{name}.yaml"]
    return next((path.resolve() for path in [*own, paths.preset(name, mode)] if path.is_file()), None)


def _limits(controller: dict[str, Any]) -> dict[str, Any]:
    """The controller's limits as parameters of another node."""
    file = controller.get(CONFIG_PARAMETER)
    limits = {} if file is None else read_yaml(file).get("limits", {})
    values = limits if isinstance(limits, dict) else {}  # another type is for the controller to refuse
    single = {key: value for key, value in controller.items() if key.startswith("limits.")}
    return {**{f"limits.{key}": value for key, value in values.items()}, **single}
