"""FrankaRobotState, the report of franka_ros2's state broadcaster: the one place that knows franka_msgs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from wm_core.errors import ConfigError
from wm_core.robot_health import RobotHealth

from . import convert, qos

#: The constants of the message, by value.
MODES = ("OTHER", "IDLE", "MOVE", "GUIDING", "REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY")
#: The message is large and may come at 1 kHz: no more of them are read than the watchdogs need.
READ_PERIOD_S = 0.02


def message_type() -> Any:
    """``franka_msgs/msg/FrankaRobotState``. Raises ConfigError, which says what to install, where it is missing."""
    try:
        from franka_msgs.msg import FrankaRobotState
    except ImportError:
        raise ConfigError(
            "the robot's mode and errors need franka_msgs: build franka_ros2 in this workspace and source it"
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


class FrankaState:
    """Subscribes to ``topic`` and calls ``heard`` with each report that is read. Raises ConfigError as above."""

    def __init__(self, node: Node, topic: str, heard: Callable[[RobotHealth], object]) -> None:
        self._type, self._heard, self._read_s = message_type(), heard, 0.0
        node.create_subscription(self._type, topic, self._on_bytes, qos.SENSOR, raw=True)

    def _on_bytes(self, data: bytes) -> None:
        now_s = time.monotonic()
        if now_s - self._read_s >= READ_PERIOD_S:
            self._read_s = now_s
            self._heard(health(deserialize_message(data, self._type)))
