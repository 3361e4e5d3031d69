"""What Fast DDS is told by the environment of the nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wm_bringup import graph, transport
from wm_core.topics import CONTROLLER

LOCAL = {transport.RANGE: transport.LOCALHOST}
ONLY = {transport.LOCALHOST_ONLY: "1"}
#: A node, and whether it shares memory.
NODE = """
import rclpy
rclpy.init()
node = rclpy.create_node("alone")
print("/dev/shm/fast" in open("/proc/self/maps").read())
"""


def test_the_controller_shares_no_memory_wherever_it_looks_for_others() -> None:
    assert transport.of_controller({})[transport.PROFILES].endswith("fastdds_controller.xml")
    assert transport.of_controller({transport.RANGE: "SUBNET"}) == transport.of_controller({})
    local = transport.of_controller(LOCAL)
    assert local[transport.PROFILES].endswith("fastdds_controller_localhost.xml")
    assert local[transport.RANGE] == "SYSTEM_DEFAULT", "else rmw_fastrtps would add shared memory"
    for said in (transport.of_controller({}), local, transport.frames()):
        assert Path(said[transport.PROFILES]).is_file()


@pytest.mark.parametrize(
    "environment", [{}, LOCAL, {transport.RANGE: "localhost"}, ONLY, {**ONLY, transport.RANGE: "SUBNET"}]
)
def test_a_controller_of_any_environment_shares_none_in_fact(environment: dict[str, str]) -> None:
    ours = (transport.PROFILES, transport.RANGE, transport.LOCALHOST_ONLY, "ROS_STATIC_PEERS", "RMW_IMPLEMENTATION")
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    for own, shares in (({}, "True"), (transport.of_controller(environment), "False")):
        ran = subprocess.run(
            [sys.executable, "-c", NODE], env={**clean, **environment, **own}, capture_output=True, text=True
        )
        assert ran.stdout.split() == [shares], ran.stderr
    assert "deprecated" not in ran.stderr


def test_where_the_old_variable_is_1_nothing_else_counts() -> None:
    local = transport.of_controller(ONLY)
    assert local == {**transport.of_controller(LOCAL), transport.LOCALHOST_ONLY: ""}
    assert transport.of_controller({**ONLY, transport.RANGE: "SUBNET", "ROS_STATIC_PEERS": "10.0.0.2"}) == local
    assert transport.of_controller({transport.LOCALHOST_ONLY: "0"}) == transport.of_controller({})


def test_an_empty_variable_says_nothing() -> None:
    empty = dict.fromkeys((transport.PROFILES, transport.RANGE, "RMW_IMPLEMENTATION", "ROS_STATIC_PEERS"), "")
    assert transport.of_controller(empty) == transport.of_controller({})


def test_ours_for_camera_frames_is_not_the_controllers() -> None:
    assert transport.of_controller(transport.frames()) == transport.of_controller({})


@pytest.mark.parametrize(
    "chosen",
    [
        {transport.PROFILES: "/home/me/fastdds.xml"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {**ONLY, transport.PROFILES: "/home/me/fastdds.xml"},
        {**LOCAL, "ROS_STATIC_PEERS": "10.0.0.2"},
    ],
)
def test_what_a_person_has_chosen_stays(chosen: dict[str, str]) -> None:
    assert transport.of_controller(chosen) == {}


def test_only_the_controller_is_told() -> None:
    nodes = graph.pick_place("sim", bundle="/bundle", goal="/goal").nodes
    told = {spec.name for spec in nodes if transport.PROFILES in graph.node_environment(spec, LOCAL)}
    assert told == {CONTROLLER}
