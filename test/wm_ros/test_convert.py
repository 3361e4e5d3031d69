from __future__ import annotations

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64MultiArray
from visualization_msgs.msg import Marker

from wm_core.pose import ACTION_NAMES, euler_to_matrix
from wm_ros import convert

STAMP = Time(sec=1_700_000_000, nanosec=123_456_789)
PICTURE = np.random.default_rng(0).integers(0, 256, size=(5, 7, 3), dtype=np.uint8)


def wire(msg):
    """The message as a subscriber gets it."""
    return deserialize_message(serialize_message(msg), type(msg))


@given(st.floats(0.0, 4e9))
def test_stamps_keep_a_microsecond(seconds: float) -> None:
    stamp = convert.s_to_stamp(seconds)
    assert 0 <= stamp.nanosec < 1_000_000_000
    assert abs(convert.stamp_to_s(stamp) - seconds) < 1e-6


def test_image_survives_the_wire() -> None:
    msg = wire(convert.image_to_msg(PICTURE, STAMP, "camera"))
    assert (msg.header.stamp, msg.header.frame_id, msg.encoding, msg.step) == (STAMP, "camera", "rgb8", 21)
    np.testing.assert_array_equal(convert.msg_to_image(msg), PICTURE)


def test_an_rgb_image_is_not_copied() -> None:
    msg = convert.image_to_msg(PICTURE, STAMP, "camera")
    picture = convert.msg_to_image(msg)
    assert np.shares_memory(picture, np.frombuffer(msg.data, dtype=np.uint8))


def test_a_picture_that_is_a_view_is_sent_as_it_looks() -> None:
    flipped = PICTURE[:, ::-1]
    np.testing.assert_array_equal(convert.msg_to_image(convert.image_to_msg(flipped, STAMP, "")), flipped)


@pytest.mark.parametrize(
    ("encoding", "code"),
    [("bgr8", cv2.COLOR_RGB2BGR), ("rgba8", cv2.COLOR_RGB2RGBA), ("bgra8", cv2.COLOR_RGB2BGRA)],
)
def test_other_encodings_become_rgb(encoding: str, code: int) -> None:
    values = cv2.cvtColor(PICTURE, code)
    msg = Image(height=5, width=7, encoding=encoding, step=7 * values.shape[2], data=values.tobytes())
    np.testing.assert_array_equal(convert.msg_to_image(msg), PICTURE)


def test_grey_becomes_rgb() -> None:
    msg = Image(height=5, width=7, encoding="mono8", step=7, data=PICTURE[..., 0].tobytes())
    np.testing.assert_array_equal(convert.msg_to_image(msg), np.repeat(PICTURE[..., :1], 3, axis=2))


def test_padding_at_the_end_of_rows_is_skipped() -> None:
    padded = np.zeros((5, 32), dtype=np.uint8)
    padded[:, :21] = PICTURE.reshape(5, 21)
    msg = Image(height=5, width=7, encoding="rgb8", step=32, data=padded.tobytes())
    np.testing.assert_array_equal(convert.msg_to_image(msg), PICTURE)


def test_compressed_image() -> None:
    encoded = cv2.imencode(".png", cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGR))[1]
    msg = CompressedImage(format="png", data=encoded.tobytes())
    np.testing.assert_array_equal(convert.msg_to_image(wire(msg)), PICTURE)


@pytest.mark.parametrize(
    "msg",
    [
        Image(height=5, width=7, encoding="rgb8", step=21, data=bytes(104)),
        Image(height=5, width=7, encoding="rgb8", step=20, data=bytes(105)),
        Image(height=0, width=0, encoding="rgb8"),
        Image(height=5, width=7, encoding="16UC1", step=14, data=bytes(70)),
        CompressedImage(format="jpeg", data=b"no picture"),
        CompressedImage(format="jpeg"),
    ],
)
def test_an_image_that_cannot_be_is_refused(msg: Image | CompressedImage) -> None:
    with pytest.raises(ValueError, match="image"):
        convert.msg_to_image(msg)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
@settings(max_examples=50)
def test_latent_survives_the_wire_bit_by_bit(latent: np.ndarray) -> None:
    back = convert.msg_to_latent(wire(convert.latent_to_msg(latent, STAMP, "camera")))
    assert back.dtype == np.float32 and back.shape == latent.shape
    assert back.tobytes() == latent.tobytes()  # NaN included: whoever plans must see it


def test_a_latent_must_be_32fc1() -> None:
    with pytest.raises(ValueError, match="32FC1"):
        convert.msg_to_latent(convert.image_to_msg(PICTURE, STAMP, "camera"))


@pytest.mark.parametrize(
    "frame",
    [
        "camera",
        "subgoal_8_of_8",
        "subgoal_0_of_65",
        "subgoal_-1_of_8",
        "subgoal_1_of_x",
        "subgoal_\u0661_of_8",
        "subgoal_0_of_8_run_",
        "subgoal_0_of_8_run_0123456",
        "subgoal_0_of_8_run_0123456g",
        "subgoal_0_of_8_run_01234567\n",
        "subgoal_0_of_" + "8" * 10_000_000,
    ],
)
def test_goal_frames_that_cannot_be(frame: str) -> None:
    with pytest.raises(ValueError, match="frame id") as refused:
        convert.parse_goal_frame(frame)
    assert len(str(refused.value)) < 250


def test_goal_frame_both_ways() -> None:
    assert convert.parse_goal_frame(convert.goal_frame(2, 8)) == (2, 8, "")
    assert convert.parse_goal_frame(convert.goal_frame(2, 8, "0a1b2c3d")) == (2, 8, "0a1b2c3d")


@given(hnp.arrays(np.float64, 6, elements=st.floats(-3.0, 3.0)))
def test_pose_both_ways(pose: np.ndarray) -> None:
    back = convert.msg_to_pose(convert.pose_to_msg(pose, STAMP, "base"))
    np.testing.assert_allclose(back[:3], pose[:3])
    np.testing.assert_allclose(euler_to_matrix(back[3:]), euler_to_matrix(pose[3:]), atol=1e-7)


def test_bad_poses_are_refused() -> None:
    msg = convert.pose_to_msg(np.zeros(6), STAMP, "base")
    msg.pose.position.x = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        convert.msg_to_pose(msg)
    msg = convert.pose_to_msg(np.zeros(6), STAMP, "base")
    msg.pose.orientation.w = 0.0
    with pytest.raises(ValueError, match="quaternion"):
        convert.msg_to_pose(msg)


def test_gripper_and_wrench_both_ways() -> None:
    gripper = convert.gripper_to_msg(0.25, STAMP)
    assert (gripper.name, list(gripper.position)) == (["gripper"], [0.25])
    assert convert.msg_to_gripper_command(convert.gripper_command_to_msg(0.0)) == 0.0
    wrench = np.arange(6.0)
    np.testing.assert_array_equal(convert.msg_to_wrench(convert.wrench_to_msg(wrench, STAMP, "base")), wrench)


@pytest.mark.parametrize("data", [[], [0.1, 0.2], [float("inf")]])
def test_bad_gripper_commands_are_refused(data: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite number"):
        convert.msg_to_gripper_command(Float64MultiArray(data=data))


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(7)), elements=st.floats(-1.0, 1.0)),
    st.floats(0.02, 2.0),
)
@settings(max_examples=50)
def test_plan_both_ways(deltas: np.ndarray, period_s: float) -> None:
    msg = wire(convert.plan_to_msg(deltas, period_s, STAMP, "base"))
    assert tuple(msg.joint_names) == ACTION_NAMES and msg.header.stamp == STAMP
    back, back_s = convert.msg_to_plan(msg)
    np.testing.assert_array_equal(back, deltas)
    assert abs(back_s - period_s) < 2e-9


def _plan():
    return convert.plan_to_msg(np.zeros((2, 7)), 0.25, STAMP, "base")


def test_bad_plans_are_refused() -> None:
    for spoil, says in (
        (lambda m: setattr(m, "joint_names", list("abcdefg")), "joints"),
        (lambda m: setattr(m, "joint_names", ["x"] * 100_000), "not 100000: 'x x x x x x x'"),
        (lambda m: setattr(m, "joint_names", ["x" * 1_000_000] * 7), "not 7: 'xxx"),
        (lambda m: setattr(m, "points", []), "1 to 256 points, not 0"),
        (lambda m: setattr(m, "points", [m.points[0]] * 257), "1 to 256 points, not 257"),
        (lambda m: setattr(m.points[1], "positions", [0.0] * 6), "must have 7 numbers"),
        (lambda m: setattr(m.points[1], "positions", [float("nan")] * 7), "not finite"),
        (lambda m: setattr(m.points[1].time_from_start, "sec", 3), "evenly spaced"),
        (lambda m: setattr(m.points[0].time_from_start, "nanosec", 0), "evenly spaced"),
    ):
        msg = _plan()
        spoil(msg)
        with pytest.raises(ValueError, match=says):
            convert.msg_to_plan(msg)


def test_markers_show_paths_target_and_box() -> None:
    paths = np.random.default_rng(0).uniform(size=(4, 3, 3))
    lines, target, box = convert.plan_markers(paths, (0, 0, 0), (1, 2, 3), STAMP, "base").markers
    assert len(lines.points) == 4 * 2 * 2 and lines.type == Marker.LINE_LIST
    assert (target.points[0].x, target.points[0].z) == (paths[0, 1, 0], paths[0, 1, 2])
    assert len(box.points) == 24 and {p.z for p in box.points} == {0.0, 3.0}


def test_markers_of_a_hold_show_the_box_only() -> None:
    lines, target, box = convert.plan_markers(np.empty((0, 3, 3)), (0, 0, 0), (1, 1, 1), STAMP, "base").markers
    assert not lines.points and not target.points and box.points
