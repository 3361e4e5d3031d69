"""FrankaRobotState without franka_msgs: a message of the same fields; the same as JSON; and what to install."""

from __future__ import annotations

import importlib.util
import re
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from std_msgs.msg import String

from wm_core.errors import ConfigError
from wm_core.measured import MeasuredConfig
from wm_core.robot_health import RobotHealth
from wm_ros import convert, franka_state


class Errors:
    """Stands for franka_msgs/Errors: 36 flags, of which three are enough here."""

    def __init__(self, **flags: bool) -> None:
        self.joint_reflex = self.cartesian_reflex = self.power_limit_violation = False
        self.__dict__.update(flags)

    def get_fields_and_field_types(self) -> dict[str, str]:
        return dict.fromkeys(("joint_reflex", "cartesian_reflex", "power_limit_violation"), "boolean")


def message(mode: int, rate: float = 1.0, **flags: bool) -> SimpleNamespace:
    header = SimpleNamespace(stamp=convert.s_to_stamp(12.5))
    errors = Errors(**flags)
    return SimpleNamespace(header=header, robot_mode=mode, current_errors=errors, control_command_success_rate=rate)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "OTHER"),
        (1, "IDLE"),
        (2, "MOVE"),
        (3, "GUIDING"),
        (4, "REFLEX"),
        (5, "USER_STOPPED"),
        (6, "AUTOMATIC_ERROR_RECOVERY"),
        (7, "7"),
    ],
)
def test_modes_by_number(number: int, name: str) -> None:
    report = franka_state.health(message(number))
    assert (report.mode, report.stamp_s, report.errors) == (name, pytest.approx(12.5), ())
    assert report.in_control == (name == "MOVE")


def test_error_flags_by_name_and_the_success_rate() -> None:
    report = franka_state.health(message(2, 0.97, joint_reflex=True, power_limit_violation=True))
    assert report.errors == ("joint_reflex", "power_limit_violation")
    assert report.success_rate == 0.97
    assert not report.in_control and "joint_reflex, power_limit_violation" in report.fault


@pytest.mark.skipif(importlib.util.find_spec("franka_msgs") is not None, reason="franka_msgs is installed")
def test_without_franka_msgs_it_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"apt-get install ros-\$ROS_DISTRO-franka-msgs, or build franka_msgs"):
        franka_state.message_type()


@pytest.mark.parametrize(
    "report",
    [
        RobotHealth(12.5, "MOVE"),
        RobotHealth(0.0, "REFLEX", ("cartesian_reflex", "joint_reflex"), 0.0),
        RobotHealth(-1e9, "7", (), 0.97),
    ],
)
def test_a_report_as_json_is_the_same_report(report: RobotHealth) -> None:
    assert franka_state.msg_to_health(franka_state.health_to_msg(report)) == report


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "a JSON object"),
        ('{"mode": "MOVE"}', "lacks the key 'stamp_s'"),
        ('{"stamp_s": 1.0, "mode": 2}', "mode must be of type str"),
        ('{"stamp_s": 1.0, "mode": "MOVE", "success_rate": null}', "success_rate must be of type float"),
        ('{"stamp_s": "now", "mode": "MOVE"}', "stamp_s must be of type float"),
        ('{"stamp_s": 1.0, "mode": "MOVE", "errors": "reflex"}', "errors must be a list"),
        ('{"stamp_s": 1.0, "mode": ""}', "the mode or error '', which is not one word"),
        ('{"stamp_s": 1.0, "mode": "MOVE", "errors": ["a\\nb"]}', r"the mode or error 'a\nb', which"),
        ('{"stamp_s": 1.0, "mode": "' + 5000 * "M" + '"}', "more than 4096"),
        ('{"stamp_s": 1.0, "mode": "MOVE", "error": []}', "did you mean 'errors'"),
    ],
)
def test_json_that_is_no_report_is_a_value_error_that_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        franka_state.msg_to_health(String(data=text))


def test_the_form_of_the_report_is_one_of_two() -> None:
    assert MeasuredConfig().robot_format == "franka"
    with pytest.raises(ConfigError, match="robot_format 'jsn' is not one of franka, json"):
        MeasuredConfig(robot_format="jsn")
