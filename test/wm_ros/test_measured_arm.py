"""The arm's topics over real messages; only the transport is left out."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node

from wm_ros import convert
from wm_ros.measured_arm import Measured, MeasuredArm

POSE = np.array([0.4, 0.1, 0.2, np.pi, 0.0, 0.5])


class Heard:
    def __init__(self, node: Node) -> None:
        self.states: list[Measured] = []
        self.refused: list[str] = []
        self.arm = MeasuredArm(node, "base", self.refused.append, self.states.append)

    def pose(self, at_s: float, frame: str = "base") -> None:
        self.arm._on_pose(convert.pose_to_msg(POSE, convert.s_to_stamp(at_s), frame))

    def gripper(self, at_s: float, closed: float = 0.3) -> None:
        self.arm._on_gripper(convert.gripper_to_msg(closed, convert.s_to_stamp(at_s)))


def test_pose_gripper_and_wrench_become_one_state(node: Node) -> None:
    heard = Heard(node)
    heard.gripper(10.0)
    heard.arm._on_wrench(convert.wrench_to_msg(np.arange(6.0), convert.s_to_stamp(10.0), "base"))
    heard.pose(10.01)
    heard.pose(10.3)
    first, second = heard.states
    np.testing.assert_allclose(first.state, [*POSE, 0.3], atol=1e-9)
    assert first.wrench is not None and first.wrench[5] == 5.0
    assert second.wrench is None, "an old wrench is none"
    assert not heard.refused


def test_nothing_without_a_fresh_gripper(node: Node) -> None:
    heard = Heard(node)
    heard.pose(10.0)
    heard.gripper(10.0)
    heard.pose(11.0)
    assert not heard.states and len(heard.refused) == 2 and "gripper is silent" in heard.refused[0]


def test_another_frame_is_refused(node: Node) -> None:
    heard = Heard(node)
    heard.gripper(10.0)
    heard.pose(10.0, frame="world")
    assert not heard.states and heard.refused == ["arm/current_pose has the frame id 'world', not 'base'"]


def test_nearest_state(node: Node) -> None:
    heard = Heard(node)
    assert heard.arm.nearest(10.0)[1] is None
    for k in range(5):
        heard.gripper(10.0 + 0.02 * k)
        heard.pose(10.0 + 0.02 * k)
    gap_s, state = heard.arm.nearest(10.045)
    assert state is not None and abs(state.stamp_s - 10.04) < 1e-6 and abs(gap_s - 0.005) < 1e-6
