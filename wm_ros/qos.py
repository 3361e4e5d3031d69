"""QoS profiles, one per kind of topic. Mostly depth 1 on purpose: only the newest value is useful."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(reliability: ReliabilityPolicy, durability: DurabilityPolicy, depth: int) -> QoSProfile:
    return QoSProfile(reliability=reliability, durability=durability, history=HistoryPolicy.KEEP_LAST, depth=depth)


#: Images, latents and measured states: a lost one is replaced by the next. Also what Franka's broadcasters offer.
SENSOR = _profile(ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 1)
#: Joint states: those of arm and gripper may come on one topic, and the newest must not push out the other's.
JOINTS = _profile(ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 10)
#: Plans and arm targets: CRISP subscribes reliable, keep-last 1.
COMMAND = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 1)
#: States and small reports that a late joiner wants to have at once.
LATCHED = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1)
#: Goal images and their latents: all of them reach a late joiner.
GOALS = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 64)
#: ``/diagnostics`` is shared by many publishers.
DIAGNOSTICS = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)
