"""The node graph for ``ros2 launch``; the files in launch/ add nothing to it. Needs ROS 2's launch packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from wm_core.errors import ConfigError

from . import graph, paths

#: Arguments by name: default, and what they are.
COMMON = {
    "mode": ("sim", "simulated or real arm and camera: " + " or ".join(graph.MODES)),
    "model": (paths.DEFAULT_BUNDLE, "model bundle: a name below models/, or a folder"),
    "arm": ("", "what moves the arm: a preset of config/arms, or a file; '' for that of the mode"),
    "camera": ("", "topic of a camera driver that runs already; '' starts the camera node of config/camera"),
    "seed": ("0", "simulated scene, and moves of a calibration"),
    "config": ("", "folder of <node>.yaml files that replace those in config/"),
}
PICK_PLACE = {**COMMON, "goal": ("", "folder of goal pictures; in simulation, '' has the scripted expert take them")}
CALIBRATE = {**COMMON, "out": ("", "the camera's preset, which gets the axes; in simulation, '' is ./camera.yaml")}

Given = dict[str, str]


def describe(dry_run: bool = False) -> LaunchDescription:
    """The nodes of :func:`wm_bringup.graph.pick_place`, with the arguments ``PICK_PLACE``."""

    def declare(given: Given, common: dict[str, Any]) -> graph.Graph:
        if given["mode"] == "real" and not given["goal"]:
            raise ConfigError("a real arm needs goal:=FOLDER, a folder of goal pictures")
        goal = given["goal"] if given["goal"] else paths.new_run_folder() / "goals"
        return graph.pick_place(**common, goal=goal, dry_run=dry_run, record_goal=not given["goal"])

    return _describe(PICK_PLACE, declare)


def describe_calibration() -> LaunchDescription:
    """The nodes of :func:`wm_bringup.graph.calibrate`, with the arguments ``CALIBRATE``."""

    def declare(given: Given, common: dict[str, Any]) -> graph.Graph:
        if given["mode"] == "real" and not given["out"]:
            raise ConfigError("a real camera needs out:=FILE, its preset, which gets the axes")
        return graph.calibrate(**common, out=os.path.abspath(given["out"] if given["out"] else "camera.yaml"))

    return _describe(CALIBRATE, declare)


def _describe(
    arguments: dict[str, tuple[str, str]], declare: Callable[[Given, dict[str, Any]], graph.Graph]
) -> LaunchDescription:
    def start(context: LaunchContext) -> list:
        given = {name: LaunchConfiguration(name).perform(context) for name in arguments}
        if not given["seed"].isdecimal():
            raise ConfigError(f"seed:={given['seed']} is not a whole number")
        for name, value in graph.environment(given["mode"]).items():
            os.environ.setdefault(name, value)
        common: dict[str, Any] = {name: given[name] if given[name] else None for name in ("arm", "camera", "config")}
        common |= {"mode": given["mode"], "seed": int(given["seed"])}
        return _start(declare(given, {**common, "bundle": paths.bundle_folder(given["model"]).resolve()}))

    declared = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])


def _start(declared: graph.Graph) -> list:
    """What starts the nodes, after what must have ended before them."""
    nodes = [
        Node(
            package="wm_bringup",
            executable=spec.executable,
            name=spec.name,
            parameters=[spec.parameters],
            remappings=list(spec.remappings),
            respawn=spec.respawn,
            output="screen",
            on_exit=EmitEvent(event=Shutdown(reason=f"{spec.name} ended")),
        )
        for spec in declared.nodes
    ]
    if not declared.prepare:
        return nodes

    def prepared(event: object, _: LaunchContext) -> list:
        failed = getattr(event, "returncode", 1) != 0
        return [EmitEvent(event=Shutdown(reason="there are no goal pictures"))] if failed else nodes

    prepare = ExecuteProcess(cmd=[sys.executable, "-m", "wm_bringup.cli", *declared.prepare], output="screen")
    return [RegisterEventHandler(OnProcessExit(target_action=prepare, on_exit=prepared)), prepare]
