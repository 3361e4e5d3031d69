"""The arm's topics over real messages; only the transport is left out."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState

from wm_core.measured import GripperScale, MeasuredConfig
from wm_ros import convert
from wm_ros.measured_arm import Measured, MeasuredArm, arm_joints

POSE = np.array([0.4, 0.1, 0.2, np.pi, 0.0, 0.5])


class Heard:
    def __init__(self, node: Node, config: MeasuredConfig | None = None) -> None:
        self.states: list[Measured] = []
        self.refused: list[str] = []
        self.arm = MeasuredArm(node, "base", self.refused.append, self.states.append, config)

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


def test_another_arms_gripper_and_frame(node: Node) -> None:
    """A hand of two fingers, and a driver that reports the flange: the TCP is 0.1034 m further along the tool."""
    hand = GripperScale(joints=("finger1", "finger2"), open=0.08, closed=0.0, slack=0.05)
    heard = Heard(node, MeasuredConfig(tcp_m_rad=(0.0, 0.0, 0.1034, 0.0, 0.0, 0.0), gripper=hand))
    fingers = JointState(name=["finger1", "finger2"], position=[0.03, 0.03])
    fingers.header.stamp = convert.s_to_stamp(10.0)
    heard.arm._on_gripper(fingers)
    heard.pose(10.0)
    np.testing.assert_allclose(heard.states[0].state, [*(POSE - [0, 0, 0.1034, 0, 0, 0]), 0.25], atol=1e-9)


def test_seven_joints_in_their_order_whatever_else_is_there() -> None:
    names = [*(f"fr3_joint{k}" for k in (3, 1, 2, 7, 6, 5, 4)), "fr3_finger_joint1"]
    q = arm_joints(JointState(name=names, position=[0.3, 0.1, 0.2, 0.7, 0.6, 0.5, 0.4, 9.0]))
    np.testing.assert_array_equal(q, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert arm_joints(JointState(name=names[:3], position=[0.0] * 3)) is None
    assert arm_joints(JointState(name=["fr3_finger_joint1", "fr3_finger_joint2"], position=[0.0] * 2)) is None
    q = arm_joints(JointState(name=[f"panda_joint{k}" for k in range(1, 8)], position=[np.nan] * 7))
    assert q is not None and np.isnan(q).all()
