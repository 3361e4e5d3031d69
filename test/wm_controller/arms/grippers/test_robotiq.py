from __future__ import annotations

import sys

import pytest
from stand_ins import Client, Handle, Message, install

from wm_controller.arms.grippers.robotiq import RobotiqConfig
from wm_core.errors import ConfigError


@pytest.fixture
def gripper(monkeypatch: pytest.MonkeyPatch):
    def goal() -> Message:
        return Message(command=Message(position=0.0, max_effort=0.0))

    install(monkeypatch, "control_msgs", {"GripperCommand": goal})
    return RobotiqConfig().make(None)


def sent() -> list[tuple[float, float]]:
    return [(goal.command.position, goal.command.max_effort) for goal in Client.made[0].goals]


def test_without_the_message_package_it_says_what_to_install() -> None:
    assert "control_msgs" not in sys.modules
    with pytest.raises(ConfigError, match=r"needs the ROS package control_msgs: apt-get install"):
        RobotiqConfig().make(None)


def test_closedness_becomes_the_angle_of_the_knuckle(gripper) -> None:
    for value in (0.0, 0.5, 0.51, 1.0, 1.0, 0.0):
        gripper.send(value)
    assert sent() == [(pytest.approx(0.4), 20.0), (pytest.approx(0.8), 20.0), (0.0, 20.0)], "it preempts"


def test_nothing_moves_before_the_command_does(gripper) -> None:
    gripper.send(0.4)
    gripper.send(0.4)
    assert sent() == []
    gripper.send(1.0)
    assert len(sent()) == 1


def test_a_stop_ends_every_motion_for_good(gripper) -> None:
    gripper.send(0.0)
    gripper.send(0.5)
    gripper.send(1.0)
    client = Client.made[0]
    last = client.accept()
    gripper.stop()
    assert last.cancelled
    client.futures[0].set(first := Handle())
    assert first.cancelled, "a goal that the server had not answered yet"
    gripper.send(1.0)
    gripper.send(1.0)
    assert len(sent()) == 2
    gripper.send(0.9)
    assert len(sent()) == 3


def test_what_was_due_is_forgotten_when_told(gripper) -> None:
    Client.ready = False
    gripper.send(0.0)
    gripper.send(1.0)
    gripper.forget()
    Client.ready = True
    gripper.send(0.3)
    gripper.send(0.3)
    assert sent() == []


def test_a_missing_server_is_named(gripper) -> None:
    Client.ready = False
    assert "there is no action robotiq_gripper_controller/gripper_cmd" in gripper.state()
