"""Each kind of gripper below fuzzed sessions: what goes to the hardware was asked for while the controller ran."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stand_ins import Client, Clock, Message, install

from wm_controller.arms.grippers import Gripper
from wm_controller.arms.grippers.franka import FrankaConfig
from wm_controller.arms.grippers.position import PositionConfig
from wm_controller.arms.grippers.robotiq import RobotiqConfig
from wm_lab.fuzz import Session

#: The smallest change of a command that any kind sends on.
CHANGE = 0.01


class Overseen:
    """A gripper whose action server accepts and ends when it likes, and who watches when something is sent."""

    def __init__(self, gripper: Gripper, begun: Callable[[], int], clock: Clock, seed: int) -> None:
        self._gripper, self._begun, self._clock = gripper, begun, clock
        self._rng = np.random.default_rng(seed)
        self._seat: float | None = None
        self._sent = begun()
        self.session: Session | None = None

    def send(self, value: float) -> None:
        assert self.session is not None
        self._clock.now_s = self.session.now
        self._server()
        self._nothing_sent()
        self._gripper.send(value)
        if self._seat is None:
            self._seat = value
            self._nothing_sent()
        self._sent = self._begun()

    def forget(self) -> None:
        self._seat = None
        self._gripper.forget()
        self._nothing_sent()

    def stop(self) -> None:
        self._gripper.stop()
        self._nothing_sent()
        for client in Client.made:
            moving = [handle for handle in client.handles if handle.accepted and not handle.future.result()]
            assert all(handle.cancelled for handle in moving), "all that moves ends"

    def _nothing_sent(self) -> None:
        assert self._begun() == self._sent, "sent by itself, or at once after a start"

    def _server(self) -> None:
        for client in Client.made:
            if len(client.handles) < len(client.goals) and self._rng.random() < 0.1:
                client.accept(accepted=bool(self._rng.random() < 0.8))
            if client.handles and not client.handles[-1].future.result() and self._rng.random() < 0.1:
                client.end()


def franka(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> tuple[Gripper, Callable[[], int]]:
    def goal(**values: float) -> Message:
        return Message(epsilon=Message(inner=0.0, outer=0.0), **values)

    install(monkeypatch, "franka_msgs", {"Grasp": goal, "Move": Message})
    gripper = FrankaConfig().make(None)
    return gripper, lambda: sum(len(client.goals) for client in Client.made)


def robotiq(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> tuple[Gripper, Callable[[], int]]:
    def goal() -> Message:
        return Message(command=Message(position=0.0, max_effort=0.0))

    install(monkeypatch, "control_msgs", {"GripperCommand": goal})
    gripper = RobotiqConfig().make(None)
    return gripper, lambda: len(Client.made[0].goals)


def position(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> tuple[Gripper, Callable[[], int]]:
    class Node:
        sent = 0

        def create_publisher(self, kind, topic: str, profile) -> Node:
            return self

        def publish(self, message) -> None:
            self.sent += 1

    Client.made = []
    node = Node()
    return PositionConfig().make(node), lambda: node.sent


@pytest.mark.parametrize("kind", [position, franka, robotiq])
def test_a_gripper_moves_only_as_asked_and_never_at_once_after_a_start(
    kind: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 0
    for seed in range(40):
        clock = Clock(monkeypatch)
        gripper, begun = kind(monkeypatch, clock)
        overseen = Overseen(gripper, begun, clock, seed)
        session = overseen.session = Session(seed, gripper=overseen)
        found = session.run(120)
        assert not [name for name in found.violations if name.startswith("raised")], (seed, found.violations)
        total += begun()
    assert total > 5, "otherwise nothing is shown"
