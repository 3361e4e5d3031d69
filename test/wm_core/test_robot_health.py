"""What a robot's report means for the arm; the controller's use of it is tested in test/wm_controller/test_watch.py."""

from __future__ import annotations

import math

import pytest

from wm_core.robot_health import RobotHealth


def test_a_working_robot() -> None:
    health = RobotHealth(0.0, "MOVE")
    assert (health.in_control, health.fault, health.hold) == (True, "", "")


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("IDLE", "in mode IDLE: no controller moves it; activate"),
        ("GUIDING", "in mode GUIDING: it is guided by hand; let go"),
        ("OTHER", "in mode OTHER; look at Desk"),
        ("7", "in mode 7; look at Desk"),
    ],
)
def test_a_robot_that_nobody_moves_holds_without_a_fault(mode: str, says: str) -> None:
    health = RobotHealth(0.0, mode)
    assert not health.in_control and health.fault == "" and says in health.hold


def test_an_error_counts_in_every_mode() -> None:
    health = RobotHealth(0.0, "MOVE", ("joint_reflex",))
    assert not health.in_control and "joint_reflex" in health.fault


@pytest.mark.parametrize(("rate", "holds"), [(0.9, False), (0.89, True), (math.nan, True)])
def test_lost_commands_count_while_a_controller_moves_it(rate: float, holds: bool) -> None:
    assert bool(RobotHealth(0.0, "MOVE", (), rate).hold) == holds
    assert "commands" not in RobotHealth(0.0, "IDLE", (), rate).hold, "none are sent"
