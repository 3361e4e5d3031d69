from __future__ import annotations

import sys

import pytest
from stand_ins import Client, Clock, Message, install

from wm_controller.arms import ArmConfig, GripperConfig, make_arm
from wm_core.errors import ConfigError

ROBOTIQ = GripperConfig(kind="robotiq", topic="robotiq_gripper_controller/gripper_cmd", open=0.0, closed=0.8)


@pytest.fixture
def gripper(monkeypatch: pytest.MonkeyPatch):
    def goal() -> Message:
        return Message(command=Message(position=0.0, max_effort=0.0))

    back_end = install(monkeypatch, "robotiq", "control_msgs", {"GripperCommand": goal})
    return back_end.RobotiqGripper(Clock(), ROBOTIQ)


def sent() -> list[tuple[float, float]]:
    return [(goal.command.position, goal.command.max_effort) for goal in Client.made[0].goals]


def test_without_the_message_package_it_says_what_to_install() -> None:
    assert "control_msgs" not in sys.modules
    with pytest.raises(ConfigError, match=r"needs the ROS package control_msgs: apt-get install"):
        make_arm(None, "base", ArmConfig(gripper=ROBOTIQ))


def test_closedness_becomes_the_angle_of_the_knuckle(gripper) -> None:
    for value in (0.0, 0.5, 0.51, 1.0, 1.0, 0.0):
        gripper.send(value)
    assert sent() == [(pytest.approx(0.4), 20.0), (pytest.approx(0.8), 20.0), (0.0, 20.0)], "it preempts"


def test_nothing_moves_before_the_command_does_nor_in_a_hold(gripper) -> None:
    gripper.send(0.4)
    gripper.send(0.4)
    gripper.send(1.0, holding=True)
    assert sent() == []
    gripper.send(1.0)
    assert len(sent()) == 1


def test_a_stop_ends_a_motion_and_a_resume_begins_it_again(gripper) -> None:
    gripper.send(0.0)
    gripper.send(1.0)
    handle = Client.made[0].accept()
    gripper.stop()
    assert handle.cancelled
    gripper.send(1.0, holding=True)
    assert len(sent()) == 1
    gripper.send(1.0)
    assert len(sent()) == 2


def test_a_missing_server_is_named(gripper) -> None:
    Client.ready = False
    assert "there is no action robotiq_gripper_controller/gripper_cmd" in gripper.state()
