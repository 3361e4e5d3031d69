"""The graph of a pick and place, as ``wm pick_place`` starts it; this file adds nothing to it.

    ros2 launch wm_bringup pick_place.launch.py seed:=3
    ros2 service call /start std_srvs/srv/Trigger

The arm stays idle until ``start`` is called.
"""

import os
import sys

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from wm_bringup import graph, paths
from wm_core.errors import ConfigError

ARGUMENTS = {
    "mode": ("sim", "simulated or real arm and camera: " + " or ".join(graph.MODES)),
    "model": (paths.DEFAULT_BUNDLE, "model bundle: a name below models/, or a folder"),
    "goal": ("", "folder of goal pictures; in simulation, '' has the scripted expert take them"),
    "seed": ("0", "simulated scene"),
    "config": ("", "folder of <node>.yaml files that replace those in config/"),
}


def start(context: LaunchContext) -> list:
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


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
