"""The first thing that a plan asks of a gripper, through the controller and each kind of port, reaches it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from stand_ins import Client, Clock, Message, install

from wm_controller.arms.grippers import Gripper
from wm_controller.arms.grippers.franka import FrankaConfig
from wm_controller.arms.grippers.position import PositionConfig
from wm_controller.arms.grippers.robotiq import RobotiqConfig
from wm_controller.controller import ArmState, Controller, ControllerConfig, Plan
from wm_controller.interface import RESUME_SILENCE_S

DOWN = np.array([0.45, 0.0, 0.3, math.pi, 0.0, 0.3])
TICK_S = 0.02


def franka(monkeypatch: pytest.MonkeyPatch) -> tuple[Gripper, Callable[[], list[str]]]:
    def goal(**values: float) -> Message:
        return Message(epsilon=Message(inner=0.0, outer=0.0), **values)

    install(monkeypatch, "franka_msgs", {"Grasp": goal, "Move": Message})
    gripper = FrankaConfig().make(None)
    grasp, move = Client.made
    return gripper, lambda: ["close"] * len(grasp.goals) + ["open"] * len(move.goals)


def robotiq(monkeypatch: pytest.MonkeyPatch) -> tuple[Gripper, Callable[[], list[str]]]:
    install(monkeypatch, "control_msgs", {"GripperCommand": lambda: Message(command=Message(position=0.0))})
    gripper = RobotiqConfig().make(None)
    return gripper, lambda: ["close" if goal.command.position > 0.4 else "open" for goal in Client.made[0].goals]


def position(monkeypatch: pytest.MonkeyPatch) -> tuple[Gripper, Callable[[], list[str]]]:
    sent: list[str] = []

    class Node:
        def create_publisher(self, kind, topic: str, profile) -> Node:
            return self

        def publish(self, message) -> None:
            sent.append("close" if message.data[0] > 0.5 else "open")

    Client.made = []
    return PositionConfig().make(Node()), lambda: list(dict.fromkeys(sent))


class Rig:
    """A controller and a gripper, as the node joins them. The fingers stay where a test puts them."""

    def __init__(self, gripper: Gripper, clock: Clock) -> None:
        self.gripper, self.clock, self.now, self.measured = gripper, clock, 100.0, 0.0
        self.controller = Controller(ControllerConfig())
        self.tick()
        self.call(self.controller.start)

    def call(self, act: Callable[[float], str]) -> None:
        assert not act(self.now).startswith("not ")
        self.gripper.forget()

    def tick(self) -> str:
        self.now += TICK_S
        self.clock.now_s = self.now
        self.controller.on_state(ArmState(self.now, DOWN, self.measured), self.now)
        command = self.controller.tick(self.now)
        if command.gripper is not None:
            self.gripper.send(command.gripper)
        for client in Client.made:  # its server is quick
            if len(client.handles) < len(client.goals):
                client.accept()
                client.end()
        return command.mode

    def plans(self, change: float, seconds: float = 2.0) -> None:
        for k in range(round(seconds / TICK_S)):
            if k % 10 == 0:
                deltas = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, change]])
                assert self.controller.on_plan(Plan(self.now, 0.25, deltas), self.now) == ""
            assert self.tick() == "running"

    def stop(self) -> None:
        self.controller.stop(self.now)
        self.gripper.stop()
        for _ in range(round((RESUME_SILENCE_S + 0.2) / TICK_S)):
            assert self.tick() == "stopped"


@pytest.mark.parametrize("kind", [position, franka, robotiq])
@pytest.mark.parametrize(("measured", "change", "asked"), [(0.0, 1.0, "close"), (0.45, -1.0, "open"), (1.0, -0.3, "")])
def test_what_the_first_plan_asks_for_is_sent(
    kind: Callable, measured: float, change: float, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gripper, sent = kind(monkeypatch)
    rig = Rig(gripper, Clock(monkeypatch))
    rig.measured = measured
    for _ in range(20):
        rig.tick()
    assert sent() == [], "nothing before it runs"
    rig.plans(change)
    assert sent() == [asked] if asked else len(sent()) == 1, "however little it is: 0.3 is a change"


@pytest.mark.parametrize("kind", [position, franka, robotiq])
def test_after_a_resume_with_something_in_the_hand_the_first_plan_can_open_it(
    kind: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    gripper, sent = kind(monkeypatch)
    rig = Rig(gripper, Clock(monkeypatch))
    rig.plans(1.0)
    rig.measured = 0.45  # what it holds keeps the fingers apart
    rig.stop()
    assert sent() == ["close"]
    rig.call(rig.controller.resume)
    for _ in range(20):
        rig.tick()
    rig.plans(0.0, 0.5)
    assert sent() == ["close"], "a plan that asks for nothing lets go of nothing"
    rig.stop()
    rig.call(rig.controller.resume)
    rig.tick()
    rig.plans(-1.0)
    assert sent() == ["close", "open"]
    rig.measured = 0.0
    rig.stop()
    rig.call(rig.controller.resume)
    rig.tick()
    rig.plans(1.0)
    assert len(sent()) == (2 if kind is position else 3), "and closes again"
