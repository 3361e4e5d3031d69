"""The node graph for ``ros2 launch``; the files in launch/ add nothing to it. Needs ROS 2's launch packages."""

from __future__ import annotations

import os
import sys

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from wm_core.errors import ConfigError

from . import graph, paths

ARGUMENTS = {
    "mode": ("sim", "simulated or real arm and camera: " + " or ".join(graph.MODES)),
    "model": (paths.DEFAULT_BUNDLE, "model bundle: a name below models/, or a folder"),
    "arm": ("", "what moves the arm: a preset of config/arms, or a file; '' for that of the mode"),
    "camera": ("", "topic of a camera driver that runs already; '' starts the camera node of config/camera"),
    "goal": ("", "folder of goal pictures; in simulation, '' has the scripted expert take them"),
    "seed": ("0", "simulated scene"),
    "config": ("", "folder of <node>.yaml files that replace those in config/"),
}


def start(context: LaunchContext, dry_run: bool) -> list:
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    if not given["seed"].isdecimal():
        raise ConfigError(f"seed:={given['seed']} is not a whole number")
    if given["mode"] == "real" and not given["goal"]:
        raise ConfigError("a real arm needs goal:=FOLDER, a folder of goal pictures")
    for name, value in graph.environment(given["mode"]).items():
        os.environ.setdefault(name, value)
    declared = graph.pick_place(
        given["mode"],
        bundle=paths.bundle_folder(given["model"]).resolve(),
        goal=given["goal"] if given["goal"] else paths.new_run_folder() / "goals",
        arm=given["arm"] if given["arm"] else None,
        camera=given["camera"] if given["camera"] else None,
        dry_run=dry_run,
        seed=int(given["seed"]),
        record_goal=not given["goal"],
        config=given["config"] if given["config"] else None,
    )
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


def describe(dry_run: bool = False) -> LaunchDescription:
    """The nodes of :func:`wm_bringup.graph.pick_place`, with the arguments above."""
    arguments = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start, kwargs={"dry_run": dry_run})])
