"""Messages to arrays and back. No algorithm sees a message; no other module picks one apart.

Whatever cannot be converted raises ValueError with one sentence; a node answers that by holding.
"""

from __future__ import annotations

import array
import math
import re
import sys
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, PoseStamped, WrenchStamped
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import ColorRGBA, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from wm_core.errors import quoted
from wm_core.limits import MAX_STEPS
from wm_core.pose import (
    ACTION_NAMES,
    Array,
    euler_to_matrix,
    matrix_to_euler,
    matrix_to_quaternion,
    quaternion_to_matrix,
)

from . import qos
from .images import is_grey as is_grey
from .images import msg_to_image as msg_to_image
from .images import msg_to_latent as msg_to_latent

GRIPPER_JOINT = "gripper"
#: As many goals as a late joiner is sent; see ``qos.GOALS``.
MAX_GOALS = qos.GOALS.depth
#: A quaternion of four rounded decimals is off by less than 1e-4; one that is off by a hundredth holds something else.
UNIT_SLACK = 0.01
_GOAL_FRAME = re.compile(r"subgoal_([0-9]{1,3})_of_([0-9]{1,3})(?:_run_([0-9a-f]{8}))?")


# --- time ------------------------------------------------------------------------------------------------------------
def stamp_to_s(stamp: Time) -> float:
    """Seconds as a float; at today's wall clock its resolution is 0.24 microseconds."""
    return stamp.sec + 1e-9 * stamp.nanosec


def s_to_stamp(seconds: float) -> Time:
    """A stamp from seconds >= 0."""
    whole = int(seconds)
    return Time(sec=whole, nanosec=min(round((seconds - whole) * 1e9), 999_999_999))


# --- images and latents ----------------------------------------------------------------------------------------------
def _fill(msg: Image, values: NDArray[Any], encoding: str, stamp: Time, frame_id: str) -> Image:
    values = np.ascontiguousarray(values)
    msg.header.stamp, msg.header.frame_id, msg.encoding = stamp, frame_id, encoding
    msg.height, msg.width = values.shape[:2]
    msg.step = values.nbytes // max(values.shape[0], 1)
    msg.is_bigendian = int(sys.byteorder == "big")
    # An array.array is the one type that every ROS 2 takes without looking at each byte (1000 x faster than a list).
    msg.data = array.array("B", values.tobytes())
    return msg


def image_to_msg(rgb: NDArray[np.uint8], stamp: Time, frame_id: str) -> Image:
    """RGB uint8 ``(H, W, 3)`` to an ``rgb8`` Image."""
    return _fill(Image(), rgb, "rgb8", stamp, frame_id)


def latent_to_msg(latent: NDArray[np.float32], stamp: Time, frame_id: str) -> Image:
    """A latent float32 ``(T, C)`` to a ``32FC1`` Image: rows are tokens, columns channels."""
    return _fill(Image(), np.asarray(latent, dtype=np.float32), "32FC1", stamp, frame_id)


def goal_frame(index: int, count: int, run: str = "") -> str:
    """``header.frame_id`` of sub-goal ``index`` (from 0) of ``count``; ``run``: the 8 hex digits that it belongs to."""
    return f"subgoal_{index}_of_{count}" + (f"_run_{run}" if run else "")


def parse_goal_frame(frame_id: str) -> tuple[int, int, str]:
    """Index (from 0) and count of a sub-goal, and the run that it belongs to ("": none), from ``header.frame_id``."""
    match = _GOAL_FRAME.fullmatch(frame_id)
    if match is None or not int(match[1]) < int(match[2]) <= MAX_GOALS:
        raise ValueError(
            f"a goal must have the frame id subgoal_<k>_of_<n>_run_<run>, n at most {MAX_GOALS}, not {quoted(frame_id)}"
        )
    return int(match[1]), int(match[2]), match[3] or ""


# --- the arm ---------------------------------------------------------------------------------------------------------
def pose_to_msg(pose: ArrayLike, stamp: Time, frame_id: str) -> PoseStamped:
    """A pose ``(6,)``: metres and extrinsic xyz Euler radians, to a PoseStamped with a unit quaternion."""
    values = np.asarray(pose, dtype=np.float64)
    msg = PoseStamped()
    msg.header.stamp, msg.header.frame_id = stamp, frame_id
    p, q = msg.pose.position, msg.pose.orientation
    p.x, p.y, p.z = values[:3].tolist()
    q.x, q.y, q.z, q.w = matrix_to_quaternion(euler_to_matrix(values[3:6])).tolist()
    return msg


def msg_to_pose(msg: PoseStamped) -> Array:
    """The pose ``(6,)`` of a PoseStamped. Raises ValueError if it is not finite, or its quaternion is no rotation."""
    p, q = msg.pose.position, msg.pose.orientation
    values = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
    if not np.isfinite(values).all():
        raise ValueError("a pose holds a number that is not finite; look at its driver")
    length = math.hypot(*values[3:])
    if not abs(length - 1.0) <= UNIT_SLACK:
        raise ValueError(f"a pose has a quaternion of length {length:.3g}, which is no rotation; it must be 1")
    return np.append(values[:3], matrix_to_euler(quaternion_to_matrix(values[3:])))


def gripper_to_msg(closed: float, stamp: Time) -> JointState:
    """Measured gripper, 0 open .. 1 closed, to a JointState."""
    msg = JointState(name=[GRIPPER_JOINT], position=[float(closed)])
    msg.header.stamp = stamp
    return msg


def gripper_command_to_msg(closed: float) -> Float64MultiArray:
    """A gripper command, 0 open .. 1 closed."""
    return Float64MultiArray(data=[float(closed)])


def msg_to_gripper_command(msg: Float64MultiArray) -> float:
    """A gripper command, 0 open .. 1 closed. Raises ValueError unless it is one finite number."""
    if len(msg.data) != 1 or not np.isfinite(msg.data[0]):
        raise ValueError("a gripper command must be one finite number")
    return float(msg.data[0])


def wrench_to_msg(wrench: ArrayLike, stamp: Time, frame_id: str) -> WrenchStamped:
    """Force in N and torque in Nm ``(6,)`` to a WrenchStamped."""
    values = np.asarray(wrench, dtype=np.float64).tolist()
    msg = WrenchStamped()
    msg.header.stamp, msg.header.frame_id = stamp, frame_id
    force, torque = msg.wrench.force, msg.wrench.torque
    force.x, force.y, force.z = values[:3]
    torque.x, torque.y, torque.z = values[3:6]
    return msg


def msg_to_wrench(msg: WrenchStamped) -> Array:
    """Force in N and torque in Nm ``(6,)`` of a WrenchStamped; not all of them need be finite."""
    force, torque = msg.wrench.force, msg.wrench.torque
    return np.array([force.x, force.y, force.z, torque.x, torque.y, torque.z])


# --- plans -----------------------------------------------------------------------------------------------------------
def plan_to_msg(deltas: ArrayLike, step_period_s: float, stamp: Time, frame_id: str) -> JointTrajectory:
    """Deltas ``(H, 7)`` to a JointTrajectory; point k (from 1) is due ``k * step_period_s`` after the stamp."""
    msg = JointTrajectory(joint_names=list(ACTION_NAMES))
    msg.header.stamp, msg.header.frame_id = stamp, frame_id
    for k, delta in enumerate(np.asarray(deltas, dtype=np.float64), start=1):
        due = s_to_stamp(k * step_period_s)
        msg.points.append(
            JointTrajectoryPoint(positions=delta.tolist(), time_from_start=Duration(sec=due.sec, nanosec=due.nanosec))
        )
    return msg


def msg_to_plan(msg: JointTrajectory) -> tuple[Array, float]:
    """Deltas ``(H, 7)`` and the step period in s. Raises ValueError on other joints, a number that is not finite, or
    points that are not evenly spaced in time."""
    names = len(msg.joint_names)
    if names != len(ACTION_NAMES) or tuple(msg.joint_names) != ACTION_NAMES:
        found = " ".join(name[:80] for name in msg.joint_names[: len(ACTION_NAMES)])
        raise ValueError(f"a plan must have the joints {' '.join(ACTION_NAMES)}, not {names}: {quoted(found)}")
    if not 1 <= len(msg.points) <= MAX_STEPS:
        raise ValueError(f"a plan must have 1 to {MAX_STEPS} points, not {len(msg.points)}")
    if any(len(point.positions) != len(ACTION_NAMES) for point in msg.points):
        raise ValueError(f"each point of a plan must have {len(ACTION_NAMES)} numbers")
    deltas = np.array([point.positions for point in msg.points], dtype=np.float64)
    due = np.array([point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in msg.points])
    if not np.isfinite(deltas).all():
        raise ValueError("a plan holds a number that is not finite")
    if due[0] <= 0.0 or not np.allclose(due, due[0] * np.arange(1, len(due) + 1), atol=1e-6):
        raise ValueError("the points of a plan must be evenly spaced in time, the first one step after the stamp")
    return deltas, float(due[0])


# --- pictures for RViz -----------------------------------------------------------------------------------------------
def _points(xyz: ArrayLike) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in np.asarray(xyz, dtype=np.float64).tolist()]


def plan_markers(
    paths: ArrayLike, box_min_m: ArrayLike, box_max_m: ArrayLike, stamp: Time, frame_id: str
) -> MarkerArray:
    """Imagined TCP paths ``(K, H, 3)`` (best first), the workspace box and the target of the best path's first step."""
    low, high = np.asarray(box_min_m, dtype=np.float64), np.asarray(box_max_m, dtype=np.float64)
    trajectories = np.asarray(paths, dtype=np.float64)

    def marker(name: str, kind: int, size_m: float, colour: tuple[float, float, float, float]) -> Marker:
        out = Marker(ns=name, type=kind, action=Marker.ADD)
        out.header.stamp, out.header.frame_id = stamp, frame_id
        out.pose.orientation.w = 1.0
        out.scale.x = out.scale.y = out.scale.z = size_m
        out.color = ColorRGBA(r=colour[0], g=colour[1], b=colour[2], a=colour[3])
        return out

    lines = marker("imagined_paths", Marker.LINE_LIST, 0.002, (0.2, 0.6, 1.0, 0.6))
    segments = np.stack([trajectories[:, :-1], trajectories[:, 1:]], axis=2) if trajectories.size else np.zeros((0, 3))
    lines.points = _points(segments.reshape(-1, 3))
    target = marker("target", Marker.SPHERE_LIST, 0.02, (1.0, 0.5, 0.0, 1.0))
    target.points = _points(trajectories[:1, 1]) if trajectories.size and trajectories.shape[1] > 1 else []
    box = marker("workspace_box", Marker.LINE_LIST, 0.003, (0.5, 0.5, 0.5, 0.8))
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    edges = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(corners[a] - corners[b]).sum() == 1]
    box.points = _points((low + corners * (high - low))[np.array(edges).ravel()])
    return MarkerArray(markers=[lines, target, box])
