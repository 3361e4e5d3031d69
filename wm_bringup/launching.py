"""The node graph for ``ros2 launch``; the files in launch/ add nothing to it. Needs ROS 2's launch packages."""

from __future__ import annotations

import inspect
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessExited, ProcessIO
from launch.substitutions import LaunchConfiguration
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue
from rclpy.exceptions import InvalidNamespaceException, InvalidTopicNameException
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_namespace import validate_namespace

from wm_core import parameters, seeds
from wm_core.errors import ConfigError, WmError, quoted, shown
from wm_core.names import unknown
from wm_core.topics import CONTROLLER
from wm_planner.goals import load_goals

from . import bundles, graph, lifeline, paths
from .processes import sentence_in

#: Arguments by name: default, and what they are.
COMMON = {
    "mode": ("", f"{', '.join(graph.MODES)}: simulated or real; '' is sim, where no other argument is of a real arm"),
    "model": (
        "",
        f"model bundle: a name below models/, or a folder; '' is {paths.DEFAULT_BUNDLE}, in simulation alone",
    ),
    "arm": ("", "what moves the arm: a preset of config/arms, or a file; '' for that of the mode"),
    "camera": ("", "topic of a camera driver that runs already; '' starts the camera node of config/camera"),
    "seed": ("", "simulated scene, and moves of a calibration; '' is 0"),
    "config": ("", "folder of <node>.yaml files, layered over those in config/"),
    "drop_guards": ("", "guards that the configuration of an arm may leave out or loosen, such as force_stop_n,robot"),
    "namespace": ("", "namespace of all nodes, and of their topics and services"),
}
PICK_PLACE = {
    **COMMON,
    "goal": ("", "folder of goal pictures; in simulation, '' has the scripted expert take them"),
    "dry_run": ("false", "true: plans are made and shown, and the controller gets an arm that moves nothing"),
}
CALIBRATE = {**COMMON, "out": ("", "the camera's preset, which gets the axes; in simulation, '' is ./camera.yaml")}
#: What launch itself reads of the arguments.
_OF_LAUNCH = ("launch-prefix", "launch-prefix-filter", "sigterm_timeout", "sigkill_timeout", "emulate_tty")

Given = dict[str, str]


def describe() -> LaunchDescription:
    """The nodes of :func:`wm_bringup.graph.pick_place`, with the arguments ``PICK_PLACE``."""

    def declare(given: Given, common: dict[str, Any]) -> graph.Graph:
        real = common["mode"] == "real"
        if real and not given["goal"]:
            raise ConfigError("a real arm needs goal:=FOLDER, a folder of goal pictures")
        if real and given["seed"]:
            raise ConfigError(f"nobody reads seed:={given['seed']}: a real arm has no simulated scene; leave it out")
        if given["goal"]:
            load_goals(given["goal"])
        goal = Path(given["goal"]).absolute() if given["goal"] else paths.new_run_folder() / "goals"
        return graph.pick_place(**common, goal=goal, dry_run=_dry(given), record_goal=not given["goal"])

    return _describe(PICK_PLACE, declare, real=("arm", "camera", "goal"))


def describe_calibration() -> LaunchDescription:
    """The nodes of :func:`wm_bringup.graph.calibrate`, with the arguments ``CALIBRATE``."""

    def declare(given: Given, common: dict[str, Any]) -> graph.Graph:
        if common["mode"] == "real" and not given["out"]:
            raise ConfigError("a real camera needs out:=FILE, its preset, which gets the axes")
        return graph.calibrate(**common, out=os.path.abspath(given["out"] if given["out"] else "camera.yaml"))

    return _describe(CALIBRATE, declare, real=("arm", "camera", "out"))


def _describe(
    arguments: dict[str, tuple[str, str]],
    declare: Callable[[Given, dict[str, Any]], graph.Graph],
    real: tuple[str, ...],
) -> LaunchDescription:
    """``real``: arguments with which a real arm is meant, so that the mode must be said."""
    included = _given()

    def start(context: LaunchContext) -> list:
        names = {perform_substitutions(context, name) for name in included}
        for name in sorted(names - {*arguments, *_OF_LAUNCH}):
            raise ConfigError(unknown("launch argument", name, arguments))
        given = {name: LaunchConfiguration(name).perform(context) for name in arguments}
        for name, value in given.items():
            if value != shown(value):  # what is no UTF-8 among it: launch itself fails at saying it
                raise ConfigError(f"{name}:={quoted(value)} has characters that cannot be shown; leave them out")
        if "namespace" not in names:
            given["namespace"] = ""  # that of an enclosing launch file, which has applied it already
        if not given["mode"] and (asked := [name for name in real if given[name]]):
            raise ConfigError(f"{asked[0]}:={given[asked[0]]} is given, but not mode: say mode:=real, or mode:=sim")
        if given["namespace"]:
            _check_namespace(given["namespace"])
        if given["camera"]:
            _check_camera(given["camera"])
        common: dict[str, Any] = {name: given[name] if given[name] else None for name in ("arm", "camera", "config")}
        common |= {"mode": given["mode"] or "sim", "seed": seeds.checked(given["seed"] or 0)}
        common |= {"drop_guards": [word.strip() for word in given["drop_guards"].split(",") if word.strip()]}
        # What would end a node is said before anything is started.
        warnings: list[str] = []
        bundle = bundles.chosen(given["model"], common["mode"], _dry(given), warnings.append)
        common |= {"bundle": bundle.path.resolve(), "launcher_pid": os.getpid()}
        said = [LogInfo(msg=sentence) for sentence in warnings]
        return [*said, *_start(declare(given, common), common["mode"], given["namespace"], context)]

    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _dry(given: Given) -> bool:
    """Whether nothing is to move; a calibration has no such argument. Raises ConfigError."""
    word = given.get("dry_run", "false")
    if word.lower() not in ("true", "false"):
        raise ConfigError(f"dry_run:={word} must be true or false")
    return word.lower() == "true"


def _given() -> list[list[Any]]:
    """The names of the arguments that are given to this launch file, as substitutions.

    The context tells only what is set, by enclosing launch files too, and not what was said to this one. So the action
    that includes it is asked (``ros2 launch`` itself includes the file that it is given): it is the one that is now
    waiting for this description.
    """
    for frame in inspect.stack():
        includer = frame.frame.f_locals.get("self")
        if isinstance(includer, IncludeLaunchDescription):
            return [normalize_to_list_of_substitutions(name) for name, _ in includer.launch_arguments]
    return []


def _check_namespace(namespace: str) -> None:
    try:
        validate_namespace(f"/{namespace.removeprefix('/')}")
    except InvalidNamespaceException as error:
        why = str(error).splitlines()[0]
        raise ConfigError(f"namespace:={namespace} is no ROS namespace, such as left_arm: {why}") from None


def _check_camera(camera: str) -> None:
    """Refuse what no node could be remapped to: each would end with what the parser of its arguments says."""
    try:
        for _, topic in graph.camera_remappings(camera):
            validate_full_topic_name(f"/{topic.removeprefix('/')}")
    except InvalidTopicNameException as error:
        why = str(error).splitlines()[0].rstrip(":")
        raise ConfigError(
            f"camera:={quoted(camera)} is no ROS topic: {why}; give one as 'ros2 topic list' shows it, such as "
            "/camera/camera/color/image_raw"
        ) from None


def _start(declared: graph.Graph, mode: str, namespace: str, context: LaunchContext) -> list:
    """What starts the nodes, after what must have ended before them."""
    environment = {name: value for name, value in graph.environment(mode).items() if name not in os.environ}
    nodes = [action for spec in declared.nodes for action in _node(spec, environment, context)]
    notes = [LogInfo(msg=note) for note in declared.notes]
    scoped = GroupAction([*([PushRosNamespace(namespace)] if namespace else []), *nodes])
    if not declared.prepare:
        return [*notes, scoped]
    # The nodes start later, when the scopes around this launch file have been left: what holds in them is kept.
    configurations, variables = dict(context.launch_configurations), dict(os.environ)

    def restore(later: LaunchContext) -> None:
        for old, kept in ((later.launch_configurations, configurations), (os.environ, variables)):
            old.clear()
            old.update(kept)

    child = _Child("the expert who takes the goal pictures", [GroupAction([OpaqueFunction(function=restore), scoped])])
    prepare = ExecuteProcess(
        cmd=[sys.executable, "-m", "wm_bringup.cli", *declared.prepare],
        output="screen",
        additional_env=environment,
        on_exit=child.ended,
    )
    return [*notes, *child.heard(prepare)]


def _node(spec: graph.NodeSpec, environment: dict[str, str], context: LaunchContext) -> list:
    child = _Child(spec.name)
    values = {
        # launch_ros would take a text that looks like a number for one.
        name: ParameterValue(value, value_type=_TEXTS if isinstance(value, list) else str)
        if isinstance(value, (str, list))
        else value
        for name, value in parameters.to_ros(spec.parameters).items()
    }
    # When launch is killed, so are the nodes; the controller is told to end, so that the arm comes to rest. A debugger
    # that the user puts before them is left alone.
    last = signal.SIGTERM if spec.name == CONTROLLER else signal.SIGKILL
    guard = [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), str(int(last))]
    prefix = {} if "launch-prefix" in context.launch_configurations else {"prefix": shlex.join(guard)}
    node = Node(
        package="wm_bringup",
        executable=spec.executable,
        exec_name=spec.executable,
        name=spec.name,
        parameters=[values],
        remappings=list(spec.remappings),
        respawn=spec.respawn,
        output="screen",
        additional_env={**environment, **graph.node_environment(spec, {**os.environ, **environment})},
        on_exit=child.ended,
        **prefix,
    )
    return child.heard(node)


class _Child:
    """A process that must not end by itself, or only well, and then ``follow`` is what comes next.

    Launch ends with a failure, and with the process's own last sentence, if an exception comes from an event.
    """

    def __init__(self, name: str, follow: list | None = None) -> None:
        self._name, self._follow, self._said = name, follow, ""

    def heard(self, action: ExecuteProcess) -> list:
        """``action``, which starts the process, with what listens to it."""
        return [RegisterEventHandler(OnProcessIO(target_action=action, on_stderr=self._on_text)), action]

    def _on_text(self, event: ProcessIO) -> None:
        self._said = (self._said + event.text.decode("utf-8", "replace"))[-_REMEMBERED:]

    def ended(self, event: ProcessExited, context: LaunchContext) -> list | None:
        """What follows; nothing if everything is ending. Raises WmError if the process failed."""
        if context.is_shutdown:
            return None
        if self._follow is not None and event.returncode == 0:
            return self._follow
        how = f"was killed by {signal.Signals(-event.returncode).name}" if event.returncode < 0 else "ended"
        why = sentence_in(self._said) or f"its exit status is {event.returncode}, and what it said stands above"
        raise WmError(f"{self._name} {how}: {why}")


_TEXTS = list[str]
#: The end of a process's words in which its last sentence is looked for, in characters.
_REMEMBERED = 10_000
