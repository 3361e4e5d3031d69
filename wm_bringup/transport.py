"""How the nodes speak with each other: what Fast DDS is told by their environment.

Nodes on one machine talk through shared memory. A process that is suspended while it holds a lock in it keeps all
waiting who share it, for one to two seconds. So the node that moves the arm, and hears the stop, shares none: it speaks
UDP alone, which for its small messages is as fast.
"""

from __future__ import annotations

from collections.abc import Mapping

from wm_core.share import share

PROFILES, RANGE = "FASTRTPS_DEFAULT_PROFILES_FILE", "ROS_AUTOMATIC_DISCOVERY_RANGE"
LOCALHOST = "LOCALHOST"
#: Deprecated, but where it is 1 rcl looks at neither the range nor ROS_STATIC_PEERS, and takes the range LOCALHOST.
LOCALHOST_ONLY = "ROS_LOCALHOST_ONLY"
#: The other ranges that rcl knows. Any further word it takes for LOCALHOST, with a warning.
_WIDER = ("", "SUBNET", "OFF", "SYSTEM_DEFAULT")


def profiles(name: str) -> str:
    """A file of profiles of Fast DDS in config/."""
    return str(share() / "config" / f"{name}.xml")


def frames() -> dict[str, str]:
    """Room for camera frames: stock Fast DDS loses best-effort messages above 0.5 MB (rmw_fastrtps#739)."""
    return {PROFILES: profiles("fastdds")}


def of_controller(environment: Mapping[str, str]) -> dict[str, str]:
    """What the controller's environment has besides ``environment``, which is that of all nodes.

    Nothing where a person has chosen otherwise: another middleware, profiles, or peers of their own.
    """
    fast_dds = (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp").startswith("rmw_fastrtps")
    if not fast_dds or environment.get(PROFILES, "") not in ("", profiles("fastdds")):
        return {}
    localhost_only = environment.get(LOCALHOST_ONLY) == "1"
    if not localhost_only and environment.get(RANGE, "") in _WIDER:
        return {PROFILES: profiles("fastdds_controller")}
    if not localhost_only and environment.get("ROS_STATIC_PEERS"):
        return {}
    # In this range rmw_fastrtps adds shared memory to whatever the profiles say; they say what it means instead.
    here = {PROFILES: profiles("fastdds_controller_localhost"), RANGE: "SYSTEM_DEFAULT"}
    return {**here, LOCALHOST_ONLY: ""} if localhost_only else here
