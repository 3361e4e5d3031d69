"""How the nodes speak with each other: what Fast DDS is told by their environment.

Nodes on one machine talk through shared memory. A process that is suspended while it holds a lock in it keeps all
waiting who share it, for one to two seconds. So the node that moves the arm, and hears the stop, shares none: it speaks
UDP alone, which for its small messages is as fast.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import paths

PROFILES, RANGE = "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_AUTOMATIC_DISCOVERY_RANGE"
LOCALHOST = "LOCALHOST"


def profiles(name: str) -> str:
    """A file of profiles of Fast DDS in config/."""
    return str(paths.share() / "config" / f"{name}.xml")


def frames() -> dict[str, str]:
    """Room for camera frames: stock Fast DDS loses best-effort messages above 0.5 MB (rmw_fastrtps#739)."""
    return {PROFILES: profiles("fastdds")}


def of_controller(environment: Mapping[str, str]) -> dict[str, str]:
    """What the controller's environment has besides ``environment``, which is that of all nodes.

    Nothing where a person has chosen otherwise: another middleware, profiles, or peers of their own.
    """
    fast_dds = environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp").startswith("rmw_fastrtps")
    if not fast_dds or environment.get(PROFILES) not in (None, profiles("fastdds")):
        return {}
    if environment.get(RANGE) != LOCALHOST:
        return {PROFILES: profiles("fastdds_controller")}
    if environment.get("ROS_STATIC_PEERS"):
        return {}
    # In this range rmw_fastrtps adds shared memory to whatever the profiles say; they say what it means instead.
    return {PROFILES: profiles("fastdds_controller_localhost"), RANGE: "SYSTEM_DEFAULT"}
