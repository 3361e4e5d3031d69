from __future__ import annotations

import sys

import pytest
from action_msgs.msg import GoalStatus
from stand_ins import Client, Clock, Message, install

from wm_controller.arms.grippers.franka import FrankaConfig
from wm_core.errors import ConfigError


def grasp_goal(**values) -> Message:
    return Message(epsilon=Message(inner=0.005, outer=0.005), **values)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch):
    install(monkeypatch, "franka_msgs", {"Grasp": grasp_goal, "Move": Message})
    gripper = FrankaConfig().make(None)
    gripper.clock = Clock(monkeypatch)
    return gripper


@pytest.fixture
def clients(hand) -> tuple[Client, Client]:
    grasp, move = Client.made
    assert (grasp.name, move.name) == ("franka_gripper/grasp", "franka_gripper/move")
    return grasp, move


def test_without_the_message_package_it_says_what_to_install() -> None:
    assert "franka_msgs" not in sys.modules
    with pytest.raises(ConfigError, match=r"needs the ROS package franka_msgs: apt-get install"):
        FrankaConfig().make(None)


def test_it_closes_with_a_force_and_opens_with_a_move(hand, clients) -> None:
    grasp, move = clients
    for value in (0.0, 0.0, 0.6, 0.6, 1.0):
        hand.send(value)
    assert len(grasp.goals) == 1 and not move.goals, "one goal, however often the command is repeated"
    goal = grasp.goals[0]
    assert (goal.width, goal.speed, goal.force) == (0.0, 0.05, 20.0)
    assert goal.epsilon.inner == goal.epsilon.outer == 0.08, "any object counts"
    grasp.accept()
    grasp.end()
    hand.send(0.9)
    hand.send(0.7)
    assert [(g.width, g.speed) for g in move.goals] == [(0.08, 0.05)]


def test_nothing_moves_before_the_command_does(hand, clients) -> None:
    """Seated at what the hand measures: with 5 cm between the fingers it must go on squeezing."""
    for value in (0.375, 0.375, 0.45, 0.3):
        hand.send(value)
    assert not clients[0].goals and not clients[1].goals
    hand.send(0.1)
    assert len(clients[1].goals) == 1, "then a release opens, whatever the width was"


@pytest.mark.parametrize("values", [(0.0, 0.15, 0.05, 0.19, 0.0), (1.0, 0.85, 1.0, 0.81, 0.9)])
def test_a_wavering_command_moves_nothing(hand, clients, values) -> None:
    for value in values:
        hand.send(value)
    assert not clients[0].goals and not clients[1].goals


def test_the_hysteresis_starts_at_the_furthest_value(hand, clients) -> None:
    grasp, move = clients
    for value in (0.0, 0.3, 1.0, 0.85):
        hand.send(value)
    assert len(grasp.goals) == 1 and not move.goals
    grasp.accept()
    grasp.end()
    hand.send(0.79)
    assert len(move.goals) == 1


def test_the_next_goal_waits_for_the_last_and_the_newest_wins(hand, clients) -> None:
    grasp, move = clients
    hand.send(0.0)
    hand.send(1.0)
    grasp.accept()
    hand.send(0.0)  # changes its mind while the fingers move
    hand.send(1.0)
    hand.send(0.0)
    assert len(grasp.goals) == 1 and not move.goals
    grasp.end()
    hand.send(0.0)
    assert len(move.goals) == 1 and len(grasp.goals) == 1


def test_a_goal_that_is_never_answered_does_not_block_the_hand(hand, clients) -> None:
    grasp, move = clients
    hand.send(0.0)
    hand.send(1.0)
    hand.send(0.0)
    assert not move.goals
    hand.clock.now_s += 5.1
    hand.send(0.0)
    assert len(move.goals) == 1 and "has not ended a motion" in hand.state()
    assert grasp.accept().cancelled, "so late that nobody expects it"
    grasp.end(GoalStatus.STATUS_ABORTED)
    assert "has not ended a motion" in hand.state()
    move.accept()
    move.end()
    assert hand.state() == ""


def test_it_waits_for_its_server(hand, clients) -> None:
    Client.ready = False
    hand.send(0.0)
    hand.send(1.0)
    assert "there is no action franka_gripper/grasp" in hand.state() and not clients[0].goals
    Client.ready = True
    hand.send(1.0)
    assert len(clients[0].goals) == 1 and hand.state() == ""


def test_a_goal_that_waits_is_not_begun_in_a_hold(hand, clients) -> None:
    """While the controller does not run it sends no command; the answer to the last goal comes all the same."""
    grasp, move = clients
    hand.send(0.0)
    hand.send(1.0)
    hand.send(0.0)
    grasp.accept()
    grasp.end()
    assert not move.goals
    hand.send(0.0)
    assert len(move.goals) == 1


def test_a_stop_ends_a_motion_for_good(hand, clients) -> None:
    grasp, move = clients
    hand.send(0.0)
    hand.send(1.0)
    hand.send(0.0)  # waits for the grasp to end
    handle = grasp.accept()
    hand.stop()
    assert handle.cancelled
    grasp.end(GoalStatus.STATUS_CANCELED)
    for value in (1.0, 1.0, 0.9):
        hand.send(value)
    assert len(grasp.goals) == 1 and not move.goals and hand.state() == ""
    hand.send(0.6)
    assert len(move.goals) == 1, "what the plans ask for from then on is done"


def test_what_was_due_is_forgotten_when_told(hand, clients) -> None:
    """As at a resume: a person may have opened the hand."""
    grasp, move = clients
    Client.ready = False
    hand.send(0.0)
    hand.send(1.0)
    hand.forget()
    Client.ready = True
    for value in (0.3, 0.3, 0.4):
        hand.send(value)
    assert not grasp.goals and not move.goals
    hand.send(0.5)
    assert len(grasp.goals) == 1


def test_a_stop_before_the_answer_cancels_what_is_accepted_later(hand, clients) -> None:
    hand.send(0.0)
    hand.send(1.0)
    hand.stop()
    hand.send(0.0)
    hand.send(1.0)
    assert clients[0].accept().cancelled, "also when the next goal waits already"


def test_a_stop_does_not_let_go(hand, clients) -> None:
    grasp, move = clients
    hand.send(0.0)
    hand.send(1.0)
    handle = grasp.accept()
    grasp.end()
    hand.stop()
    hand.send(1.0)
    hand.send(1.0)
    assert not handle.cancelled and len(grasp.goals) == 1 and not move.goals


def test_failures_are_told(hand, clients) -> None:
    hand.send(0.0)
    hand.send(1.0)
    clients[0].accept(False)
    assert hand.state() == "the gripper refused a motion"
    hand.send(0.0)
    clients[1].accept()
    clients[1].end(GoalStatus.STATUS_ABORTED, "libfranka gripper: command rejected")
    assert hand.state() == "the gripper did not end a motion: libfranka gripper: command rejected"
