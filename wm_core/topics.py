"""Every topic and service of the graph, declared once: name, type, how it is published, and by whom.

Nodes, the monitor, the fault campaign and the table in docs/architecture.md all read this. Names are relative, so that
a namespace holds a whole stack. An arm's own topics are settings of its preset; those here are their defaults, and the
simulated arm's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Qos(Enum):
    """How a topic is published; ``wm_ros/qos.py`` has the profiles. Mostly depth 1: only the newest value is useful."""

    SENSOR = "sensor"  # best effort: a lost one is replaced by the next
    COMMAND = "command"  # reliable
    LATCHED = "latched"  # reliable; a late joiner gets the last one at once
    GOALS = "goals"  # reliable; a late joiner gets all of them
    DIAGNOSTICS = "diagnostics"  # reliable; many publish it


@dataclass(frozen=True)
class Topic:
    """One topic. ``by`` is the node that publishes it, or "arm", "camera", "launcher", "operator", "all"."""

    name: str
    type: str
    qos: Qos
    by: str


ENCODER, CONTROLLER = "encoder", "controller"
#: Who may give plans. A role is held by one node at a time; it has a topic for its plans and one for its status, and
#: the controller reads those of the role that the graph declared.
ROLES = ("planner", "calibrate")

CAMERA = Topic("camera/image_raw", "sensor_msgs/Image", Qos.SENSOR, "camera")
LATENT = Topic("latent", "sensor_msgs/Image", Qos.SENSOR, ENCODER)
GOAL_IMAGE = Topic("goal/image", "sensor_msgs/Image", Qos.GOALS, "planner")
GOAL_LATENT = Topic("goal/latent", "sensor_msgs/Image", Qos.GOALS, ENCODER)
STATE = Topic("controller/state", "std_msgs/String", Qos.LATCHED, CONTROLLER)
HEARTBEAT = Topic("launcher/heartbeat", "std_msgs/Empty", Qos.COMMAND, "launcher")
MARKERS = Topic("markers", "visualization_msgs/MarkerArray", Qos.LATCHED, "planner")
DIAGNOSTICS = Topic("/diagnostics", "diagnostic_msgs/DiagnosticArray", Qos.DIAGNOSTICS, "all")

POSE = Topic("arm/current_pose", "geometry_msgs/PoseStamped", Qos.SENSOR, "arm")
WRENCH = Topic("arm/wrench", "geometry_msgs/WrenchStamped", Qos.SENSOR, "arm")
GRIPPER = Topic("arm/gripper", "sensor_msgs/JointState", Qos.SENSOR, "arm")
TARGET = Topic("arm/target_pose", "geometry_msgs/PoseStamped", Qos.COMMAND, CONTROLLER)
GRIPPER_COMMAND = Topic("arm/gripper_command", "std_msgs/Float64MultiArray", Qos.COMMAND, CONTROLLER)
#: A constant, not a setting: no preset can make it the topic of an arm.
DRY_TARGET = Topic("dry_run/target_pose", "geometry_msgs/PoseStamped", Qos.COMMAND, CONTROLLER)

SCENE = Topic("sim/scene", "std_msgs/String", Qos.LATCHED, "arm")
RESET = Topic("sim/reset", "std_msgs/Int64", Qos.COMMAND, "operator")


def plan(role: str) -> Topic:
    """The plans of a role; one publisher."""
    return Topic(f"{role}/plan", "trajectory_msgs/JointTrajectory", Qos.COMMAND, role)


def status(node: str) -> Topic:
    """What whoever holds a role, or the encoder, says of itself; a sign of life."""
    return Topic(f"{node}/status", "std_msgs/String", Qos.LATCHED, node)


#: All of them.
TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        *(CAMERA, LATENT, GOAL_IMAGE, GOAL_LATENT),
        *(of(role) for role in ROLES for of in (plan, status)),
        status(ENCODER),
        *(POSE, WRENCH, GRIPPER, TARGET, GRIPPER_COMMAND, DRY_TARGET),
        *(STATE, HEARTBEAT, SCENE, RESET, MARKERS, DIAGNOSTICS),
    )
}

#: Services (std_srvs/Trigger) of the controller, for operators, ...
START, STOP, RESUME = OPERATOR = ("start", "stop", "resume")
#: ... and of the planner: take the one set of goal pictures that others have published for this run.
USE_GOALS = "planner/use_goals"
