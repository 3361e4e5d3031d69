from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.errors import ConfigError
from wm_core.measured import SAME, GripperScale, MeasuredConfig, check_pose, driven
from wm_core.pose import FLANGE_FROM_HAND_TCP_M_RAD, compose, euler_to_matrix, rotation_angle

FLANGE = tuple(FLANGE_FROM_HAND_TCP_M_RAD.tolist())
places = st.tuples(*[st.floats(-0.9, 0.9)] * 3)
angles = st.tuples(st.floats(-math.pi, math.pi), st.floats(-1.5, 1.5), st.floats(-math.pi, math.pi))
poses = st.tuples(places, angles).map(lambda pose: np.array([*pose[0], *pose[1]]))
offsets = st.tuples(st.tuples(*[st.floats(-0.3, 0.3)] * 3), angles).map(lambda pose: (*pose[0], *pose[1]))


def assert_same_pose(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a[:3], b[:3], atol=1e-9)
    assert rotation_angle(euler_to_matrix(a[3:]) @ euler_to_matrix(b[3:]).T) < 1e-7


@given(target=poses, offset=offsets)
def test_what_is_driven_and_what_is_measured_are_inverse(target: np.ndarray, offset: tuple) -> None:
    """An arm that goes where its driven frame is sent, and reports that frame, is measured at the target."""
    assert_same_pose(MeasuredConfig(tcp_m_rad=offset).tcp(driven(target, offset)), target)


@given(target=poses, reported=offsets, interface=offsets)
def test_the_two_sides_may_use_two_frames(target: np.ndarray, reported: tuple, interface: tuple) -> None:
    tcp = compose(driven(target, interface), interface)  # where the arm brings its TCP
    assert_same_pose(MeasuredConfig(tcp_m_rad=reported).tcp(driven(tcp, reported)), target)


def test_the_flange_of_a_hand_that_points_straight_down() -> None:
    """As franka_description has it: the TCP is 0.1034 m beyond the flange, turned by -45 degrees about z."""
    flange = driven(np.array([0.5, 0.1, 0.2, math.pi, 0.0, 0.0]), FLANGE)
    np.testing.assert_allclose(flange[:3], [0.5, 0.1, 0.3034], atol=1e-12)
    np.testing.assert_allclose(flange[3:], [math.pi, 0.0, -math.pi / 4], atol=1e-9)


def test_no_transform_leaves_the_pose_alone() -> None:
    pose = np.array([0.5, 0.1, 0.2, math.pi, 0.0, 0.0])
    assert driven(pose, SAME) is pose and MeasuredConfig().tcp(pose) is pose


FRANKA = GripperScale(("fr3_finger_joint1", "fr3_finger_joint2"), open=0.08, closed=0.0, slack=0.05)
ROBOTIQ = GripperScale(("robotiq_85_left_knuckle_joint",), open=0.0, closed=0.8)
CRISP = GripperScale(("gripper_joint",), open=1.0, closed=0.0)


@pytest.mark.parametrize(
    ("scale", "opened", "closed"),
    [
        (FRANKA, [0.04, 0.04], [0.0, 0.0]),
        (ROBOTIQ, [0.0], [0.8]),
        (CRISP, [1.0], [0.0]),
        (GripperScale(), [0.0], [1.0]),
    ],
)
def test_the_signs_of_all_grippers(scale: GripperScale, opened: list, closed: list) -> None:
    assert scale.closedness(scale.joints, opened) == 0.0
    assert scale.closedness(scale.joints, closed) == 1.0
    middle = [(a + b) / 2 for a, b in zip(opened, closed, strict=True)]
    assert scale.closedness(scale.joints, middle) == pytest.approx(0.5)


@given(opened=st.floats(-2, 2), closed=st.floats(-2, 2), value=st.floats(0, 1))
def test_a_reading_goes_there_and_back(opened: float, closed: float, value: float) -> None:
    if abs(opened - closed) < 1e-3:
        return
    scale = GripperScale(("a",), opened, closed)
    assert scale.closedness(["b", "a"], [7.0, opened + value * (closed - opened)]) == pytest.approx(value, abs=1e-9)


def test_a_sensor_may_overshoot_a_little() -> None:
    assert FRANKA.closedness(FRANKA.joints, [0.0405, 0.0405]) == 0.0
    with pytest.raises(ValueError, match="outside"):
        FRANKA.closedness(FRANKA.joints, [0.05, 0.05])


@pytest.mark.parametrize(
    ("names", "positions", "says"),
    [
        (["gripper"], [math.nan], "reads nan, which is no number"),
        (["gripper"], [-math.inf], "reads -inf, which is no number"),
        (["gripper"], [1.2], "reads 1.2, outside 0"),
        (["gripper"], [], "1 names and 0 positions"),
        (["gripper", "gripper"], [0.1, 0.9], "the joint 'gripper' twice"),
    ],
)
def test_what_is_not_a_reading(names: list, positions: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        GripperScale().closedness(names, positions)


@pytest.mark.parametrize(("names", "positions"), [(["finger"], [0.5]), ([], []), (["joint1", "joint2"], [0.0])])
def test_what_is_not_about_the_gripper_says_nothing_of_it(names: list, positions: list) -> None:
    assert GripperScale().closedness(names, positions) is None
    assert FRANKA.closedness([FRANKA.joints[0], *names], [0.0, *positions]) is None, "half a hand is none"


@pytest.mark.parametrize(
    "wrong", [{"joints": ()}, {"open": 1.0}, {"open": math.nan}, {"closed": math.inf}, {"slack": -0.1}, {"slack": 0.5}]
)
def test_a_scale_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="the measured gripper"):
        GripperScale(**wrong)


def test_a_pose_in_millimetres_is_refused() -> None:
    with pytest.raises(ConfigError, match="metres"):
        check_pose("tcp_m_rad", (0.0, 0.0, 103.4, 0.0, 0.0, 0.0))
    with pytest.raises(ConfigError, match="not finite"):
        MeasuredConfig(tcp_m_rad=(0.0, 0.0, 0.1, 0.0, math.nan, 0.0))


@pytest.mark.parametrize("angles", [(0.0, 0.0, -45.0), (180.0, 0.0, 0.0), (0.0, 1e6, 0.0), (6.3, 0.0, 0.0)])
def test_angles_in_degrees_are_refused(angles: tuple) -> None:
    with pytest.raises(ConfigError, match="degrees"):
        check_pose("tcp_m_rad", (0.0, 0.0, 0.1, *angles))
    check_pose("tcp_m_rad", (0.0, 0.0, 0.1, math.pi, -2.0 * math.pi, 0.0))


def test_the_pose_has_one_publisher_whatever_is_shared() -> None:
    shared = MeasuredConfig(gripper_topic="joint_states", joints_topic="joint_states", shared_topics=("joint_states",))
    assert shared.shared_topics == ("joint_states",)
    with pytest.raises(ConfigError, match="shared_topics has 'arm/current_pose', which is none of"):
        MeasuredConfig(shared_topics=("arm/current_pose",))
