"""What a robot says of its own mode and errors: the one place that knows franka_msgs.

franka_ros2's state broadcaster publishes FrankaRobotState. Where a robot or a stand-in has no such message, a String
with the same facts does: ``{"stamp_s": s, "mode": "MOVE", "errors": [], "success_rate": 1.0}``. Which of the two comes
is declared (``measured.robot_format``), never guessed: a lab without franka_msgs must be told that it lacks them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from std_msgs.msg import String

from wm_core import install, results
from wm_core.config import from_dict
from wm_core.errors import ConfigError, quoted
from wm_core.reports import json_object
from wm_core.robot_health import RobotHealth

from . import convert, qos
from .clock import steady_s

#: The constants of the message, by value.
MODES = ("OTHER", "IDLE", "MOVE", "GUIDING", "REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY")
#: The message is large and may come at 1 kHz: no more of them are read than the watchdogs need.
READ_PERIOD_S = 0.02
#: Characters of a report as JSON: a mode and all 36 error flags of libfranka by name take 1500.
MAX_REPORT = 4096


def message_type() -> Any:
    """``franka_msgs/msg/FrankaRobotState``. Raises ConfigError, which says what to install, where it is missing."""
    try:
        from franka_msgs.msg import FrankaRobotState
    except ImportError:
        raise ConfigError(
            f"the robot's mode and errors need the ROS package franka_msgs: {install.ros_package('franka_msgs')}"
        ) from None
    return FrankaRobotState


def health(msg: Any) -> RobotHealth:
    """The report of a FrankaRobotState. A mode that is not known keeps its number, and so holds the arm."""
    mode, flags = int(msg.robot_mode), msg.current_errors
    return RobotHealth(
        stamp_s=convert.stamp_to_s(msg.header.stamp),
        mode=MODES[mode] if 0 <= mode < len(MODES) else str(mode),
        errors=tuple(name for name in flags.get_fields_and_field_types() if getattr(flags, name) is True),
        success_rate=float(msg.control_command_success_rate),
    )


def health_to_msg(report: RobotHealth) -> String:
    """The report as JSON, see the module."""
    return String(data=results.to_json(dataclasses.asdict(report), indent=None))


def msg_to_health(msg: String) -> RobotHealth:
    """The report of :func:`health_to_msg`. Raises ValueError, naming the key, if it is not one."""
    if len(msg.data) > MAX_REPORT:
        raise ValueError(f"the robot's report has {len(msg.data)} characters, more than {MAX_REPORT}")
    try:
        report = from_dict(RobotHealth, json_object(msg.data, "the robot's report"), "the robot's report")
    except ConfigError as error:
        raise ValueError(str(error)) from None
    for name in (report.mode, *report.errors):
        if not name.isalnum() and not name.isidentifier():
            raise ValueError(f"the robot's report has the mode or error {quoted(name)}, which is not one word")
    return report


class RobotState:
    """Subscribes to ``topic`` and calls ``heard`` with each report that is read.

    ``form`` is one of :data:`wm_core.measured.ROBOT_FORMATS`. Raises ConfigError as :func:`message_type` does.
    """

    def __init__(self, node: Node, topic: str, form: str, heard: Callable[[RobotHealth], object]) -> None:
        self._heard, self._read_s = heard, -math.inf
        if form == "json":
            node.create_subscription(String, topic, self._on_json, qos.SENSOR)
        else:
            self._type = message_type()
            node.create_subscription(self._type, topic, self._on_bytes, qos.SENSOR, raw=True)

    def _on_json(self, msg: String) -> None:
        self._heard(msg_to_health(msg))

    def _on_bytes(self, data: bytes) -> None:
        now_s = steady_s()
        if now_s - self._read_s >= READ_PERIOD_S:
            self._read_s = now_s
            self._heard(health(deserialize_message(data, self._type)))
