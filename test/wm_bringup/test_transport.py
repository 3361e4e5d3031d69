"""What Fast DDS is told by the environment of the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wm_bringup import graph, transport

LOCAL = {transport.RANGE: transport.LOCALHOST}


def test_the_controller_shares_no_memory_wherever_it_looks_for_others() -> None:
    assert transport.of_controller({})[transport.PROFILES].endswith("fastdds_controller.xml")
    assert transport.of_controller({transport.RANGE: "SUBNET"}) == transport.of_controller({})
    local = transport.of_controller(LOCAL)
    assert local[transport.PROFILES].endswith("fastdds_controller_localhost.xml")
    assert local[transport.RANGE] == "SYSTEM_DEFAULT", "else rmw_fastrtps would add shared memory"
    for said in (transport.of_controller({}), local, transport.frames()):
        assert Path(said[transport.PROFILES]).is_file()


def test_ours_for_camera_frames_is_not_the_controllers() -> None:
    assert transport.of_controller(transport.frames()) == transport.of_controller({})


@pytest.mark.parametrize(
    "chosen",
    [
        {transport.PROFILES: "/home/me/fastdds.xml"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
        {**LOCAL, "ROS_STATIC_PEERS": "10.0.0.2"},
    ],
)
def test_what_a_person_has_chosen_stays(chosen: dict[str, str]) -> None:
    assert transport.of_controller(chosen) == {}


def test_only_the_controller_is_told() -> None:
    nodes = graph.pick_place("sim", bundle="/bundle", goal="/goal").nodes
    told = {spec.name for spec in nodes if transport.PROFILES in graph.node_environment(spec, LOCAL)}
    assert told == {graph.CONTROLLER}
