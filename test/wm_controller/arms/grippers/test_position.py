from __future__ import annotations

import pytest

rclpy = pytest.importorskip("rclpy")

from stand_ins import Clock  # noqa: E402

from wm_controller.arms.grippers.none import NoGripperConfig  # noqa: E402
from wm_controller.arms.grippers.position import REPEAT_S, PositionConfig  # noqa: E402


class Recorder:
    """A node whose only publisher writes down what it is given."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sent: list[float] = []

    def create_publisher(self, kind, topic: str, profile) -> Recorder:
        return self

    def publish(self, message) -> None:
        self.sent.append(message.data[0])


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(Clock(monkeypatch))


def test_a_change_is_sent_at_once_and_repeated_for_late_joiners(node: Recorder) -> None:
    gripper = PositionConfig(open=1.0, closed=0.0).make(node)
    for value in (0.0, 0.0, 1.0, 1.0, 0.995, 0.2):
        gripper.send(value)
    assert node.sent == pytest.approx([0.0, 0.8])
    node.clock.now_s += 1.01 * REPEAT_S
    gripper.send(0.2)
    gripper.stop()
    assert node.sent == pytest.approx([0.0, 0.8, 0.8])


def test_nothing_is_sent_before_the_command_moves(node: Recorder) -> None:
    gripper = PositionConfig().make(node)
    for _ in range(3):
        gripper.send(0.375)
        node.clock.now_s += 2 * REPEAT_S
    assert node.sent == []
    gripper.send(1.0)
    assert node.sent == [1.0]


def test_what_was_forgotten_is_neither_repeated_nor_caught_up_with(node: Recorder) -> None:
    gripper = PositionConfig().make(node)
    gripper.send(0.0)
    gripper.send(1.0)
    gripper.forget()
    for _ in range(3):
        node.clock.now_s += 2 * REPEAT_S
        gripper.send(0.2)  # a person has opened it
    assert node.sent == [1.0]
    gripper.send(0.5)
    assert node.sent == [1.0, 0.5]


def test_an_arm_without_a_gripper() -> None:
    config = NoGripperConfig()
    gripper = config.make(None)
    gripper.send(0.5)
    gripper.stop()
    gripper.forget()
    assert gripper.state() == "" and config.outputs() == {}
