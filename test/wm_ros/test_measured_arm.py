"""The arm's topics over real messages; only the transport is left out, and both clocks are set by hand."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from wm_core.measured import GripperScale, MeasuredConfig
from wm_ros import convert
from wm_ros.measured_arm import ArmJoints, Measured, MeasuredArm

POSE = np.array([0.4, 0.1, 0.2, np.pi, 0.0, 0.5])
EPOCH_S = 1.7e9  # what the ROS clock is ahead of the steady one


class Heard:
    """A measured arm, and what it says. ``steady_s`` is that clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: MeasuredConfig | None = None) -> None:
        self.steady_s, self.simulated = 100.0, False
        self.states: list[Measured] = []
        self.said: list[tuple[str, str]] = []
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.steady_s)
        self.felt: list[tuple[float, np.ndarray]] = []
        self.arm = MeasuredArm(
            self,  # type: ignore[arg-type]
            "base",
            lambda *s: self.said.append(s),
            self.states.append,
            config,
            lambda *w: self.felt.append(w),
        )

    # As a node.
    def create_subscription(self, *_: object) -> None:
        pass

    def get_clock(self) -> Heard:
        return self

    @property
    def ros_time_is_active(self) -> bool:
        return self.simulated

    def now_s(self) -> float:
        return EPOCH_S + self.steady_s

    # As drivers, whose clocks may be off and whose messages may be late.
    def pose(self, off_s: float = 0.0, frame: str = "base", pose: np.ndarray = POSE, scale: float = 1.0) -> None:
        msg = convert.pose_to_msg(pose, self.stamp(off_s), frame)
        q = msg.pose.orientation
        q.x, q.y, q.z, q.w = q.x * scale, q.y * scale, q.z * scale, q.w * scale
        self.arm._on_pose(msg)

    def gripper(self, closed: float = 0.3, off_s: float = 0.0) -> None:
        self.arm._on_gripper(convert.gripper_to_msg(closed, self.stamp(off_s)))

    def wrench(self, off_s: float = 0.0, first: float = 0.0, frame: str = "base") -> None:
        self.arm._on_wrench(convert.wrench_to_msg([first, 1, 2, 3, 4, 5], self.stamp(off_s), frame))

    def stamp(self, off_s: float) -> object:
        return convert.s_to_stamp(EPOCH_S + self.steady_s + off_s)

    def run(self, seconds: float, **off_s: float) -> None:
        """All three at 50 Hz, unless they are ``None``; ``off_s`` are the offsets of their clocks."""
        for _ in range(round(50 * seconds)):
            self.steady_s += 0.02
            for source in ("gripper", "wrench", "pose"):
                if (off := off_s.get(source, 0.0)) is not None:
                    getattr(self, source)(off_s=off)

    def trouble(self) -> dict[str, str]:
        """What is wrong now, by what was said."""
        return {source: sentence for source, sentence in dict(self.said).items() if sentence}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


def test_pose_and_gripper_become_one_state(heard: Heard) -> None:
    heard.gripper()
    heard.steady_s += 0.01
    heard.pose()
    (state,) = heard.states
    np.testing.assert_allclose(state.state, [*POSE, 0.3], atol=1e-9)
    assert not heard.said


def test_each_wrench_is_told_at_once_and_none_waits_for_a_pose(heard: Heard) -> None:
    for first in (0.0, 100.0, 0.0):
        heard.steady_s += 0.001
        heard.wrench(first=first)
        assert heard.felt[-1][0] == pytest.approx(EPOCH_S + heard.steady_s) and heard.felt[-1][1][0] == first
    assert not heard.states and all(fault == "" for *_, fault in heard.felt)


@pytest.mark.parametrize(
    ("bad", "why"),
    [({"first": math.nan}, "not finite"), ({"first": math.inf}, "not finite"), ({"frame": "tool"}, "frame id is 'to")],
)
def test_a_wrench_that_cannot_be_used_is_a_trouble_and_told_as_one(heard: Heard, bad: dict[str, Any], why: str) -> None:
    heard.wrench(**bad)
    assert why in heard.trouble()["wrench"]
    _, wrench, fault = heard.felt[-1]
    assert fault == heard.trouble()["wrench"] and list(wrench[1:]) == [1, 2, 3, 4, 5], "it may show contact"
    heard.wrench()
    assert not heard.trouble() and heard.felt[-1][2] == ""


def test_who_feels_nothing_does_not_hear_the_wrench(monkeypatch: pytest.MonkeyPatch) -> None:
    topics: list[str] = []
    heard = Heard(monkeypatch)
    monkeypatch.setattr(heard, "create_subscription", lambda _, topic, *more: topics.append(topic), raising=False)
    MeasuredArm(heard, "base", lambda *_: None)  # type: ignore[arg-type]
    assert sorted(topics) == ["arm/current_pose", "arm/gripper"]


def test_nothing_without_a_gripper(heard: Heard) -> None:
    heard.pose()
    assert not heard.states and heard.trouble() == {
        "gripper": "nothing was heard on arm/gripper yet; is the gripper's driver running?"
    }
    heard.gripper()
    heard.pose()
    assert len(heard.states) == 1 and not heard.trouble()
    heard.run(0.8, gripper=None, wrench=None)
    assert heard.trouble()["gripper"].startswith("nothing was heard on arm/gripper for 0.8 s")
    assert heard.states[-1].gripper == 0.3, "the pose goes on, for whoever brakes by it"


@pytest.mark.parametrize(
    ("source", "bad", "says"),
    [
        ("gripper", {"closed": math.nan}, "arm/gripper: the gripper reads nan, which is no number; look at its driver"),
        ("gripper", {"closed": 7.0}, "arm/gripper: the gripper reads 7, outside 0 (open) .. 1 (closed); home it, or"),
        ("wrench", {"first": math.nan}, "arm/wrench: a wrench holds a number that is not finite; look at its driver"),
        ("wrench", {"first": math.inf}, "arm/wrench: a wrench holds a number that is not finite"),
        ("wrench", {"frame": "tool"}, "arm/wrench: the frame id is 'tool', not 'base'; mend it or base_frame"),
        ("pose", {"frame": "world"}, "arm/current_pose: the frame id is 'world', not 'base'; mend it or base_frame"),
        ("pose", {"pose": POSE * math.nan}, "arm/current_pose: a pose holds a number that is not finite"),
        ("pose", {"scale": 0.0}, "arm/current_pose: a pose has a quaternion of length 0, which is no rotation"),
        ("pose", {"scale": 0.001}, "a quaternion of length 0.001, which is no rotation"),
        ("pose", {"scale": 1.011}, "a quaternion of length 1.01, which is no rotation"),
        ("pose", {"scale": 100.0}, "a quaternion of length 100, which is no rotation"),
        ("pose", {"scale": 1e200}, "which is no rotation"),
    ],
)
def test_a_source_is_in_trouble_until_it_is_well_itself(heard: Heard, source: str, bad: dict, says: str) -> None:
    """No other source, however well, says that all is well again."""
    heard.run(0.2)
    heard.said.clear()
    getattr(heard, source)(**bad)
    assert says in heard.trouble()[source] and len(heard.trouble()) == 1
    assert heard.arm.trouble("pose", "gripper", "wrench") == heard.trouble()[source]
    heard.run(0.1, **{source: None})
    assert says in heard.trouble()[source] and all(said for _, said in heard.said)
    heard.run(0.02)
    assert not heard.trouble() and heard.arm.trouble("pose", "gripper", "wrench") == ""


def test_slight_rounding_is_a_rotation(heard: Heard) -> None:
    heard.gripper()
    for scale in (0.991, 0.9999, 1.009):
        heard.pose(scale=scale)
    np.testing.assert_allclose(heard.states[-1].pose, POSE, atol=1e-9)
    assert len(heard.states) == 3 and not heard.said


def test_a_name_of_a_megabyte_is_cut(heard: Heard) -> None:
    heard.pose(frame="x" * 1_000_000)
    assert len(heard.trouble()["pose"]) < 200


@pytest.mark.parametrize("off_s", [2.0, -2.0, 0.3, -0.4, 86400.0])
def test_an_arm_whose_clock_is_off_is_named(heard: Heard, off_s: float) -> None:
    heard.run(0.5, pose=off_s, gripper=off_s, wrench=off_s)
    where = f"{abs(off_s):.1f} s {'ahead of' if off_s > 0 else 'behind'}"
    assert heard.trouble() == {"pose": f"arm/current_pose: the arm's clock is {where} this machine: run chrony on both"}
    before = len(heard.states)
    heard.run(0.5)
    assert not heard.trouble() and len(heard.states) > before


@pytest.mark.parametrize("off_s", [0.03, -0.03, -0.15])
def test_a_clock_that_is_a_little_off_will_do(heard: Heard, off_s: float) -> None:
    heard.run(0.5, pose=off_s, gripper=off_s, wrench=off_s)
    assert not heard.trouble() and len(heard.states) == 25


def test_late_messages_are_no_clock_that_is_off(heard: Heard) -> None:
    """How old a state may be is the controller's to judge."""
    heard.gripper()
    for late_s in (0.0, 0.5, 0.3, 0.8, 0.25, 0.6, 0.21):
        heard.pose(-late_s)
    assert not heard.trouble() and len(heard.states) == 7


@pytest.mark.parametrize("source", ["gripper", "wrench"])
@pytest.mark.parametrize("off_s", [2.0, -2.0])
def test_a_part_whose_clock_differs_is_named_without_flicker(heard: Heard, source: str, off_s: float) -> None:
    heard.run(0.2)
    heard.said.clear()
    heard.run(0.5, **{source: off_s})
    where = "ahead of" if off_s > 0 else "behind"
    said = f"the clock of arm/{source} is 2.0 s {where} that of arm/current_pose: run chrony on both"
    said += ", or see what delays it"
    assert set(heard.said) == {(source, said)}
    heard.run(0.1)
    assert not heard.trouble()


def test_no_stamps_are_no_clock(heard: Heard) -> None:
    heard.steady_s, stamp = 100.0, convert.s_to_stamp(0.0)
    heard.arm._on_pose(convert.pose_to_msg(POSE, stamp, "base"))
    assert heard.trouble()["pose"].endswith("there is no time stamp; the driver must stamp its messages")
    heard.pose()
    heard.arm._on_gripper(convert.gripper_to_msg(0.3, stamp))
    assert heard.trouble() == {"gripper": "arm/gripper: there is no time stamp; the driver must stamp its messages"}


def test_in_a_simulation_the_clock_to_compare_with_is_another(heard: Heard) -> None:
    heard.simulated = True
    heard.run(0.5, pose=-3.0)
    assert "the arm's clock is 3.0 s behind /clock; let both follow the same one" in heard.trouble()["pose"]


def test_joints_on_the_same_topic_are_not_about_the_gripper(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MeasuredConfig(gripper_topic="joint_states", gripper=GripperScale(joints=("knuckle",), slack=0.05))
    heard = Heard(monkeypatch, config)

    def joints(*names: str) -> None:
        msg = JointState(name=list(names), position=[0.5] * len(names))
        msg.header.stamp = heard.stamp(0.0)
        heard.arm._on_gripper(msg)

    arm = [f"fr3_joint{k}" for k in range(1, 8)]
    joints(*arm)
    heard.pose()
    said = "nothing was heard of knuckle on joint_states yet, which carries 'fr3_joint1, fr3_joint2, fr3_joint3, "
    assert heard.trouble()["gripper"].startswith(said)
    joints("knuckle")
    heard.pose()
    assert not heard.trouble()
    heard.said.clear()
    for _ in range(50):
        heard.steady_s += 0.02
        joints(*arm)
        joints("knuckle")
        joints()
        heard.pose()
    assert not heard.said and len(heard.states) == 51 and heard.states[-1].gripper == 0.5


def test_nearest_state(heard: Heard) -> None:
    assert heard.arm.nearest(10.0)[1] is None
    start_s = EPOCH_S + heard.steady_s
    heard.run(0.1)
    gap_s, state = heard.arm.nearest(start_s + 0.085)
    assert state is not None and abs(state.stamp_s - start_s - 0.08) < 1e-6 and abs(gap_s - 0.005) < 1e-6


def test_another_arms_gripper_and_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand of two fingers, and a driver that reports the flange: the TCP is 0.1034 m further along the tool."""
    hand = GripperScale(joints=("finger1", "finger2"), open=0.08, closed=0.0, slack=0.05)
    heard = Heard(monkeypatch, MeasuredConfig(tcp_m_rad=(0.0, 0.0, 0.1034, 0.0, 0.0, 0.0), gripper=hand))
    fingers = JointState(name=["finger1", "finger2"], position=[0.03, 0.03])
    fingers.header.stamp = heard.stamp(0.0)
    heard.arm._on_gripper(fingers)
    heard.pose()
    np.testing.assert_allclose(heard.states[0].state, [*(POSE - [0, 0, 0.1034, 0, 0, 0]), 0.25], atol=1e-9)


# --- joints -----------------------------------------------------------------------------------------------------------
def state(prefix: str = "fr3_", value: float = 0.0, **more: float) -> JointState:
    values = {f"{prefix}joint{k}": value + k for k in range(1, 8)} | more
    return JointState(name=list(values), position=list(values.values()))


def test_seven_joints_in_their_order_whatever_else_is_there() -> None:
    names = [*(f"fr3_joint{k}" for k in (3, 1, 2, 7, 6, 5, 4)), "fr3_finger_joint1"]
    q = ArmJoints().read(JointState(name=names, position=[0.3, 0.1, 0.2, 0.7, 0.6, 0.5, 0.4, 9.0]))
    np.testing.assert_array_equal(q, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert ArmJoints().read(JointState(name=names[:3], position=[0.0] * 3)) is None
    assert ArmJoints().read(JointState(name=["fr3_finger_joint1", "fr3_finger_joint2"], position=[0.0] * 2)) is None
    q = ArmJoints().read(state("panda_", math.nan))
    assert q is not None and np.isnan(q).all()
    q = ArmJoints().read(state(robotiq_joint1=5.0))
    np.testing.assert_array_equal(q, np.arange(1.0, 8.0))


def both(first: str = "left_", second: str = "right_") -> JointState:
    a, b = state(first), state(second, 10.0)
    return JointState(name=[*a.name, *b.name], position=[*a.position, *b.position])


@pytest.mark.parametrize("names", [("left_", "right_"), ("", "right_"), ("right_", "left_")])
def test_the_joints_of_two_arms_are_refused_until_one_is_named(names: tuple[str, str]) -> None:
    said = "the joints of several arms, '.*' and '.*', are reported; set measured.joint_prefix to one of them"
    for _ in range(2):
        with pytest.raises(ValueError, match=said):
            ArmJoints().read(both(*names))
    np.testing.assert_array_equal(ArmJoints(names[0]).read(both(*names)), np.arange(1.0, 8.0))
    np.testing.assert_array_equal(ArmJoints(names[1]).read(both(*names)), np.arange(11.0, 18.0))
    assert ArmJoints("middle_").read(both(*names)) is None


def test_two_arms_in_turns_are_no_better() -> None:
    joints = ArmJoints()
    assert joints.read(state("left_")) is not None
    with pytest.raises(ValueError, match="several arms"):
        joints.read(state("right_"))
    with pytest.raises(ValueError, match="several arms"):
        joints.read(state("left_"))


@pytest.mark.parametrize("other", ["left_joint3", "left_joint_3"])
def test_two_arms_of_the_same_names(other: str) -> None:
    msg = state("left_")
    msg.name, msg.position = [*msg.name, other], [*msg.position, 0.0]
    with pytest.raises(ValueError, match="twice"):
        ArmJoints().read(msg)


def test_names_without_positions() -> None:
    with pytest.raises(ValueError, match="7 names and 0 positions"):
        ArmJoints().read(JointState(name=state().name))


def test_the_sentence_is_short_however_many_there_are() -> None:
    joints, sentence = ArmJoints(), ""
    for k in range(50):
        try:
            joints.read(state(f"{k}_" + "x" * 10_000))
        except ValueError as error:
            sentence = str(error)
    assert 0 < len(sentence) < 350
