"""The node around the core: what it takes, watches and says. Messages are real; the transport is left out."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_controller import launcher
from wm_controller.controller_node import ControllerNode
from wm_controller.interface import FIRST_PLAN_S
from wm_controller.senses import MOST_PLANS
from wm_core.errors import ConfigError
from wm_ros import convert, voices

POSE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])

#: A namespace for each node: of one that was destroyed, discovery may still tell for a while.
_numbers = itertools.count()


class Rig:
    """A node whose time passes when it is told to, in a graph of which it is told what there is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *parameters: str) -> None:
        settings = [word for p in parameters for word in ("-p", p)]
        self.space = f"/cell{next(_numbers)}"
        self.graph = {"planner/plan": ["planner"], "planner/status": ["planner"], "encoder/status": ["encoder"]}
        monkeypatch.setattr(voices, "speakers", self.speakers)
        self.steady_s, self.epoch_s, self.number = 1000.0, 1.7e9, 100
        rclpy.init(args=["--ros-args", "-r", f"__ns:={self.space}", *settings])
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.steady_s)
        monkeypatch.setattr(Node, "count_publishers", lambda node, topic: len(self.speakers(node, topic)))
        self.node = ControllerNode()
        monkeypatch.setattr(self.node, "now_s", lambda: self.epoch_s + self.steady_s)
        self.said: list[dict] = []
        self.node._state.publish = lambda msg: self.said.append(json.loads(msg.data))  # type: ignore[method-assign]
        self.sent: list[np.ndarray] = []
        self.moved_m = 0.0  # how far the arm is from where it was last told to be, along x
        self.grippers: list[float] = []
        self.events: list[str] = []
        self.twists: list[float] = []
        arm = self.node._arm
        arm._poses._publisher.publish = lambda msg: self.sent.append(convert.msg_to_pose(msg))  # type: ignore[attr-defined]
        if "arm.kind:=twist_stream" in parameters:
            arm._twists._publisher.publish = lambda msg: self.twists.append(msg.twist.linear.x)  # type: ignore[attr-defined]
        stop = arm.stop

        def stops(at_once: bool = True) -> None:
            self.events.append("stop" if at_once else "stop the gripper")
            stop(at_once)

        arm.stop = stops  # type: ignore[method-assign]
        arm.send_gripper = self.grippers.append  # type: ignore[method-assign]
        arm.forget_gripper = lambda: self.events.append("forget")  # type: ignore[method-assign]

    def speakers(self, _: object, topic: str) -> list[tuple[str, bytes]]:
        names = self.graph.get(topic.removeprefix(f"{self.space}/"), [])
        return [(f"{self.space}/{name}", bytes([k])) for k, name in enumerate(names)]

    def stamp(self) -> object:
        return convert.s_to_stamp(self.node.now_s())

    def hear(self, topic: str, message: object, number: int | None = None) -> None:
        """As it comes from the middleware; ``number`` is its publisher's, None the next one of the right publisher."""
        if number is None:
            self.number = number = self.number + 1
        full = f"{self.space}/{topic}"
        (subscription,) = [s for s in self.node.subscriptions if s.topic_name == full]
        data = message if isinstance(message, bytes) else serialize_message(message)
        subscription.callback(data, {"publication_sequence_number": number})

    def state(self, gripper: float = 0.0) -> None:
        self.hear("arm/gripper", convert.gripper_to_msg(gripper, self.stamp()))
        pose = (POSE if not self.sent else self.sent[-1]) + [self.moved_m, 0.0, 0.0, 0.0, 0.0, 0.0]
        self.hear("arm/current_pose", convert.pose_to_msg(pose, self.stamp(), "base"))

    def plan(self, x: float = 0.01, gripper: float = 0.0, frame: str = "base", late_s: float = 0.0) -> None:
        deltas = np.array([[x, 0, 0, 0, 0, 0, gripper]] * 2)
        stamp = convert.s_to_stamp(self.node.now_s() - late_s)
        self.hear("planner/plan", convert.plan_to_msg(deltas, 0.25, stamp, frame))

    def status(self, name: str = "planner", **values: object) -> None:
        values = {"instance": f"{name}-1", **values}
        self.hear(f"{name}/status", String(data=json.dumps(values)))

    def call(self, service: str) -> Trigger.Response:
        return getattr(self.node, f"_on_{service}")(Trigger.Request(), Trigger.Response())

    def ticks(self, seconds: float = 0.02, plans: bool = True, states: bool = True) -> str:
        """Let time pass, with all that belongs to it; the mode after it."""
        for k in range(max(1, round(seconds / 0.02))):
            self.steady_s += 0.02
            if states:
                self.state()
            if plans and k % 10 == 0:
                self.plan()
            if k % 5 == 0:
                self.node._peers.look()
            self.node._tick()
        return self.mode

    def carry(self, metres: float) -> None:
        """Somebody moves the arm along x, not faster than a hand does."""
        for _ in range(50):
            self.moved_m += metres / 50
            self.ticks()

    def start(self) -> None:
        self.state()
        answer = self.call("start")
        assert answer.success, answer.message
        assert self.ticks(0.4) == "running"

    @property
    def mode(self) -> str:
        return self.node._controller.status(self.steady_s).mode

    @property
    def reason(self) -> str:
        return self.node._controller.status(self.steady_s).reason


@pytest.fixture
def rig(context: None, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


# --- messages ---------------------------------------------------------------------------------------------------------
def test_a_flood_of_plans_costs_a_few_per_tick(rig: Rig) -> None:
    rig.state()
    assert rig.call("start").success
    for _ in range(50):
        rig.plan()
    rig.ticks(plans=False)
    status = rig.node._controller.status(rig.steady_s)
    assert (status.plans, status.refused_plans) == (MOST_PLANS, 0)
    assert rig.node._health().values["overtaken_plans"] == 50 - MOST_PLANS
    assert rig.said[-1]["mode"] == "running" and rig.said[-1]["run"] == rig.node._controller.run


BAD = {
    "planner/plan": [
        convert.plan_to_msg(np.full((1, 7), np.nan), 0.25, convert.s_to_stamp(1.0), "base"),
        convert.plan_to_msg(np.zeros((1, 7)), 0.25, convert.s_to_stamp(1.0), "x" * 100_000),
        JointTrajectory(),
        b"\0\1\0\0" + b"\xff" * 100,
        b"\0" * 9_000_000,
    ],
    "arm/current_pose": [PoseStamped(), b"\0\1\0\0", b"\0" * 9_000_000],
    "arm/gripper": [JointState(name=["gripper"], position=[np.nan]), b"\0\1\0\0", b"\0" * 9_000_000],
}


@pytest.mark.parametrize(("topic", "message"), [(t, m) for t, messages in BAD.items() for m in messages])
def test_a_bad_message_holds_until_a_good_one_comes(rig: Rig, topic: str, message: object) -> None:
    rig.start()
    rig.hear(topic, message)
    rig.node._tick()
    assert rig.mode == "holding" and 10 < len(rig.reason) < 320
    assert rig.ticks(0.6) == "running"


BAD_PLANS = {
    "no message": lambda rig: rig.hear("planner/plan", b"\0\1\0\0"),
    "too long": lambda rig: rig.hear("planner/plan", b"\0" * 9_000_000),
    "other joints": lambda rig: rig.hear("planner/plan", JointTrajectory()),
    "another frame": lambda rig: rig.plan(frame="camera"),
    "not finite": lambda rig: rig.plan(math.nan),
    "too far": lambda rig: rig.plan(5.0),
    "stale": lambda rig: rig.plan(late_s=9.0),
}


@pytest.mark.parametrize("bad", BAD_PLANS.values(), ids=BAD_PLANS)
@pytest.mark.parametrize("order", ["good bad", "bad good", "good bad good", "bad good good", "good good bad"])
def test_a_bad_plan_is_not_hidden_by_good_ones_of_the_same_tick(rig: Rig, bad: Callable, order: str) -> None:
    rig.start()
    for k in range(110):
        rig.steady_s += 0.02
        rig.state()
        for word in order.split():
            (bad if word == "bad" else Rig.plan)(rig)
        rig.node._tick()
        assert rig.mode == ("holding" if k < 90 else rig.mode) and "plan" in rig.reason, k
    assert rig.mode == "stopped", "it holds until good ones come alone, for two seconds"


@pytest.mark.parametrize("bad", BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_good_plan_of_a_later_tick_ends_the_hold(rig: Rig, bad: Callable) -> None:
    rig.start()
    rig.plan()
    bad(rig)
    assert rig.ticks(0.2, plans=False) == "holding", "also the good one from before is gone"
    rig.plan()
    assert rig.ticks(plans=False) == "running"


def test_bad_joints_are_not_hidden_by_good_ones_of_the_same_tick(
    context: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(monkeypatch, "robot:=fr3")
    rig.start()

    def joints(fourth: float = -2.0) -> None:
        msg = JointState(name=[f"joint{k}" for k in range(1, 8)], position=[0.0, 0.2, 0.0, fourth, 0.0, 2.6, 0.8])
        msg.header.stamp = rig.stamp()
        rig.hear("arm/joints", msg)

    def well() -> str:
        for k in range(20):
            joints()
            rig.ticks(plans=k % 10 == 0)
        return rig.mode

    bad = lambda: rig.hear("arm/joints", b"\0\1\0\0"), lambda: joints(math.nan), lambda: joints(math.inf)
    for wrong in bad:
        for order in ((joints, wrong), (wrong, joints), (joints, wrong, joints)):
            assert well() == "running"
            for _ in range(5):
                for hear in order:
                    hear()
                rig.ticks()
                assert rig.mode == "holding" and "joints" in rig.reason
    assert well() == "running"


def test_joints_hold_where_the_robot_is_named(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "robot:=fr3")
    rig.start()
    names = [f"fr3_joint{k}" for k in range(1, 8)]

    def joints(fourth: float, extra: tuple[str, ...] = ()) -> None:
        position = [0.0, 0.2, 0.0, fourth, 0.0, 2.6, 0.8, *[0.0] * len(extra)]
        msg = JointState(name=[*names, *extra], position=position)
        msg.header.stamp = rig.stamp()
        rig.hear("arm/joints", msg)
        rig.ticks(plans=False)

    joints(-3.0)
    assert "joint 4 is 0.04 rad from its end" in rig.reason
    joints(-2.0)
    assert "joint" not in rig.reason
    joints(-2.0, tuple(f"left_joint{k}" for k in range(1, 8)))
    assert "joints of several arms, 'fr3_' and 'left_'" in rig.reason


def test_a_calibration_is_what_gives_the_plans_that_are_required(
    context: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(monkeypatch, "require:=[planner]", "role:=calibrate")
    rig.graph |= {"calibrate/status": ["calibrate"]}
    rig.state()
    assert rig.call("start").success
    rig.ticks(plans=False)
    assert rig.reason == "nothing was heard of the calibrate yet; start it"
    rig.status("calibrate")
    rig.ticks(plans=False)
    assert rig.reason == "waiting for a plan"


def test_a_message_of_the_gripper_does_not_push_out_the_joints(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "robot:=fr3", "require:=[joints]")
    rig.state()
    assert rig.call("start").success
    msg = JointState(name=[f"joint{k}" for k in range(1, 8)], position=[0.0, 0.2, 0.0, -2.0, 0.0, 2.6, 0.8])
    for k in range(20):
        msg.header.stamp = rig.stamp()
        rig.hear("arm/joints", msg)
        rig.hear("arm/joints", JointState(name=["knuckle"], position=[0.0]))
        rig.ticks(plans=k % 10 == 0)
    assert rig.mode == "running"


# --- clocks -----------------------------------------------------------------------------------------------------------
def test_two_clocks_between_which_the_process_was_interrupted_are_read_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = [0.005, 0.002, 0.0]

    def now_s() -> float:
        rig.steady_s += pauses.pop(0) if pauses else 0.0
        return rig.epoch_s + rig.steady_s

    monkeypatch.setattr(rig.node, "now_s", now_s)
    began_s = rig.steady_s
    assert rig.node._clocks.steady_s() == pytest.approx(began_s + 0.007)


# --- suspended --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("asleep_s", [2.5, 60.0, 3600.0, 1e6])
@pytest.mark.parametrize("first", ["tick", "state", "plan", "look"])
@pytest.mark.parametrize("ros", ["goes on", "stood still"])
def test_after_a_suspend_a_person_has_to_resume(rig: Rig, asleep_s: float, first: str, ros: str) -> None:
    """A lid was closed while the arm moved. Whether the ROS clock has noticed is another matter."""
    rig.start()
    rig.steady_s += asleep_s
    rig.epoch_s -= asleep_s if ros == "stood still" else 0.0
    {"tick": rig.node._tick, "state": rig.state, "plan": rig.plan, "look": rig.node._peers.look}[first]()
    sent = len(rig.sent)
    assert rig.ticks(3.0) == "stopped"
    assert "resume" in rig.reason or "suspended" in rig.reason or "clock" in rig.reason
    assert all(abs(pose[0] - rig.sent[sent - 1][0]) < 1e-9 for pose in rig.sent[sent:]), "nothing moves meanwhile"
    assert rig.call("resume").success and rig.ticks(0.4) == "running"


def test_a_short_suspend_is_a_hold(rig: Rig) -> None:
    rig.start()
    rig.steady_s += 1.0
    assert rig.ticks(0.4) == "running"


# --- operator ---------------------------------------------------------------------------------------------------------
def test_stop_stops_the_arm_at_once_and_once(rig: Rig) -> None:
    rig.start()
    rig.events.clear()
    assert rig.call("stop").success
    assert rig.events == ["stop"] and rig.said[-1]["mode"] == "stopped"
    rig.ticks(0.1)
    assert rig.events == ["stop"]


def test_a_fault_brakes_by_targets_and_a_stop_in_it_is_one_at_once(rig: Rig) -> None:
    rig.start()
    rig.events.clear()
    rig.sent[-1] = rig.sent[-1] + [0.0, 0.4, 0.0, 0.0, 0.0, 0.0]  # where the arm is measured next
    assert rig.ticks() == "fault" and rig.events == ["stop the gripper"]
    rig.call("stop")
    assert rig.events == ["stop the gripper", "stop"]


@pytest.mark.parametrize("queue", list(itertools.permutations(("start", "stop", "resume"))))
def test_a_stop_wins_in_whatever_order_the_calls_come(rig: Rig, queue: tuple[str, ...]) -> None:
    rig.start()
    for name in queue:
        rig.call(name)
    assert rig.ticks(3.0) == "stopped"


def test_calls_do_not_raise_the_rate_of_the_targets(rig: Rig) -> None:
    rig.start()
    before = len(rig.sent)
    for _ in range(380):
        rig.steady_s += 0.002
        assert not rig.call("start").success
        rig.call("resume")
    assert len(rig.sent) == before


def test_the_gripper_begins_anew_with_start_and_resume(rig: Rig) -> None:
    rig.start()
    assert rig.events == ["forget"] and rig.grippers
    rig.plan(gripper=1.0)
    rig.ticks(0.6, plans=False)
    rig.call("stop")
    rig.grippers.clear()
    rig.ticks(1.5)
    assert not rig.grippers
    assert rig.call("resume").success and rig.events[-1] == "forget"
    rig.ticks(0.4)
    assert rig.mode == "running" and rig.grippers[0] == 0.0, "what is measured"


def test_the_state_is_said_again_word_for_word(rig: Rig) -> None:
    """Twice a second, in every mode: so a reader tells a controller that stands from one that is gone."""
    for prepare in (lambda: None, rig.start, lambda: rig.call("stop")):
        prepare()
        rig.ticks(0.3)
        before, running = len(rig.said), rig.mode == "running"
        rig.ticks(3.0)
        again = rig.said[before:]
        assert 5 <= len(again) <= (16 if running else 7), "while it runs, it also tells of the plans"
        plan = {"frame_s": None, "taken_s": None} if running else {}
        assert all(report | plan == rig.said[before - 1] | plan for report in again)
        assert again[0]["mode"] == rig.mode


def test_the_state_tells_which_plan_was_taken_in_which_tick(rig: Rig) -> None:
    rig.start()
    rig.ticks(0.3, plans=False)
    rig.plan()
    now_s = rig.node._clocks.to_ros(rig.steady_s)
    rig.node._tick()
    rig.ticks(0.3, plans=False)
    said = rig.said[-1]
    assert said["taken_s"] == pytest.approx(now_s, abs=1e-3) and said["frame_s"] == pytest.approx(now_s, abs=0.1)
    assert said["stamp_s"] < said["taken_s"], "mode and reason are older than that"


QUIET = {
    "the run has ended": lambda rig: rig.node._controller.end_run("done"),
    "a stop": lambda rig: rig.call("stop"),
    "a fault": lambda rig: rig.node._controller._fault("a fault", rig.steady_s),
}
LAST = {
    "stop": lambda rig: rig.call("stop"),
    "close": lambda rig: rig.node.close(),
    "suspended": lambda rig: rig.node.suspended(),
}


@pytest.mark.parametrize("why", QUIET)
@pytest.mark.parametrize("last", LAST)
def test_an_arm_that_was_moved_while_nothing_ran_hears_of_no_target(rig: Rig, why: str, last: str) -> None:
    rig.start()
    QUIET[why](rig)
    rig.ticks(1.0)
    rig.carry(0.3)
    before = len(rig.sent)
    LAST[last](rig)
    rig.ticks(3.0)
    assert len(rig.sent) == before


@pytest.mark.parametrize("last", LAST)
def test_an_arm_that_was_moved_while_the_controller_was_held_up_hears_of_no_target(rig: Rig, last: str) -> None:
    rig.start()
    before = len(rig.sent)
    rig.steady_s += 30.0
    rig.moved_m = 0.3
    LAST[last](rig)
    rig.ticks(3.0)
    assert len(rig.sent) == before


@pytest.mark.parametrize("last", LAST)
def test_who_ends_or_stops_a_motion_sends_the_last_target_once_more(rig: Rig, last: str) -> None:
    rig.start()
    before = len(rig.sent)
    LAST[last](rig)
    assert len(rig.sent) > before
    for pose in rig.sent[before:]:
        np.testing.assert_allclose(pose, rig.sent[before - 1], atol=1e-9)


def test_the_end_of_a_run_leaves_no_twist_behind(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "arm.kind:=twist_stream", "arm.gripper.kind:=none")
    rig.moved_m = -0.02  # it lags, so that the law pulls
    rig.start()
    assert rig.twists[-1] > 0.0
    rig.node._controller.end_run("done")
    while rig.mode != "idle":
        rig.ticks(plans=False)
    left = rig.twists[-1]
    rig.ticks(plans=False)
    assert rig.twists[-1] < left or left == 0.0
    rig.ticks(1.0)
    assert rig.twists[-1] == 0.0
    count = len(rig.twists)
    rig.ticks(1.0)
    assert len(rig.twists) == count, "to an arm that rests nothing is said"


def test_the_last_words(rig: Rig) -> None:
    rig.start()
    rig.events.clear()
    rig.node.close()
    assert rig.said[-1]["mode"] == "stopped"
    assert rig.said[-1]["reason"] == "the controller was ended; start the stack again"
    assert "stop" in rig.events


def test_before_it_is_suspended_the_arm_is_stopped(rig: Rig) -> None:
    rig.start()
    rig.node.suspended()
    assert rig.said[-1]["mode"] == "stopped" and "suspended (Ctrl-Z)" in rig.said[-1]["reason"]
    rig.steady_s += 60.0
    assert rig.ticks(0.4) == "stopped"


# --- peers ------------------------------------------------------------------------------------------------------------
def test_a_run_that_is_given_up_is_not_said_to_be_done(rig: Rig) -> None:
    rig.start()
    rig.status(done=True, reached=False, run=rig.node._controller.run, reason="0 of 8 goal pictures are encoded")
    assert rig.ticks(0.6) == "idle"
    assert rig.reason == "the planner has ended the run: 0 of 8 goal pictures are encoded; call start"


def test_the_run_ends_when_who_plans_says_so_of_this_run(rig: Rig) -> None:
    rig.start()
    run = rig.node._controller.run
    rig.status(done=True, run="ffffffff", reason="of another run")
    rig.status(done=False, run=run)
    assert rig.ticks(0.2) == "running"
    rig.status(done=True, reached=True, run=run, reason="the last goal was reached")
    assert rig.ticks(0.6) == "idle"
    assert rig.reason == "the planner is done: the last goal was reached; call start"
    assert rig.said[-1]["run"] != run
    rig.state()
    assert rig.ticks(0.6) == "idle"
    assert not rig.call("resume").success
    rig.start()


@pytest.mark.parametrize("name", ["planner", "encoder"])
def test_a_process_that_was_started_anew_ends_the_run(rig: Rig, name: str) -> None:
    rig.status(name)
    rig.start()
    rig.status(name)
    assert rig.ticks(0.2) == "running"
    rig.status(name, instance="another")
    assert rig.ticks(0.6) == "idle" and rig.reason == f"the {name} was started anew; call start"
    rig.start()
    rig.status(name, instance="another")
    assert rig.ticks(0.2) == "running", "the new run belongs to it"


def test_one_that_was_started_anew_while_stopped_leaves_nothing_to_resume(rig: Rig) -> None:
    rig.status()
    rig.start()
    rig.call("stop")
    rig.status(instance="another")
    rig.ticks(1.5)
    answer = rig.call("resume")
    assert answer.success and answer.message == "stop cleared; waiting for start"
    assert rig.ticks(0.6) == "idle"


def test_a_report_counts_only_from_the_one_that_it_is_to_come_from(rig: Rig) -> None:
    """A stray publisher can neither keep a dead planner alive, nor end a run as a success."""
    rig.status()
    rig.start()
    run, heard = rig.node._controller.run, rig.node._controller._watch._heard_s
    before_s = heard["planner"]
    for names in (["planner", "stray"], ["stray"], []):
        rig.graph["planner/status"] = names
        rig.steady_s += 0.02
        rig.status(done=True, run=run)
        rig.status(instance="another")
    rig.graph["planner/status"] = ["planner"]
    assert heard["planner"] == before_s
    assert rig.ticks(0.6) == "running"


def test_a_report_that_is_none_is_survived(rig: Rig) -> None:
    rig.start()
    for text in ("{", "[]", "[" * 5000, "", '{"done": true}', '{"instance": {"a": []}}', '{"run": 7, "done": true}'):
        rig.hear("planner/status", String(data=text))
    assert rig.node.bad_messages["planner/status"] == 6


def test_a_planner_that_is_silent_holds(rig: Rig) -> None:
    rig.status()
    rig.start()
    for _ in range(5):
        rig.ticks(0.5)
        rig.status()
    assert rig.mode == "running"
    rig.ticks(3.1)
    assert rig.mode == "holding" and "nothing was heard of the planner for 3." in rig.reason


INPUTS = ("planner/plan", "planner/status", "encoder/status", "arm/current_pose", "arm/gripper", "arm/wrench")


@pytest.mark.parametrize("topic", INPUTS)
def test_a_second_voice_on_an_input_holds_and_is_named(rig: Rig, topic: str) -> None:
    rig.start()
    own = rig.graph.get(topic, ["driver"])
    rig.graph[topic] = [*own, "stray"]
    rig.ticks(0.2)
    assert rig.mode == "holding" and "stray'" in rig.reason and f"{rig.space}/{topic}; end" in rig.reason
    assert not rig.call("start").success
    rig.graph[topic] = own
    assert rig.ticks(0.8) == "running"


def test_a_second_voice_that_stays_stops(rig: Rig) -> None:
    rig.start()
    rig.graph["arm/current_pose"] = ["driver", "stray"]
    assert rig.ticks(3.0) == "stopped"
    answer = rig.call("resume")
    assert not answer.success and "stray'" in answer.message


def test_topics_that_are_shared_on_purpose(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "measured.shared_topics:=[arm/gripper]")
    rig.graph["arm/gripper"] = ["arm", "hand"]
    rig.start()
    assert rig.ticks(0.4) == "running"


def test_a_plan_of_somebody_else_is_not_taken_even_once(rig: Rig) -> None:
    """It may come within the tenth of a second between two looks into the graph."""
    rig.start()
    before = rig.node._controller.status(rig.steady_s).plans
    rig.graph["planner/plan"] = ["stray"]
    rig.plan()
    rig.node._tick()
    assert rig.node._controller.status(rig.steady_s).plans == before and rig.mode == "holding"
    assert "in place of" in rig.reason


def test_a_plan_of_a_publisher_that_is_gone_again_is_not_taken(rig: Rig) -> None:
    rig.start()
    before = rig.node._controller.status(rig.steady_s).plans
    plan = convert.plan_to_msg(np.array([[0.03, 0, 0, 0, 0, 0, 1.0]]), 0.25, rig.stamp(), "base")
    rig.hear("planner/plan", plan, number=1)
    rig.node._tick()
    assert rig.node._controller.status(rig.steady_s).plans == before and rig.mode == "holding"
    assert rig.reason == "it came from a publisher of planner/plan that has already gone; find out what else plans"
    assert rig.ticks(0.4) == "running"


def test_an_end_of_a_publisher_that_is_gone_again_ends_nothing(rig: Rig) -> None:
    rig.start()
    rig.status()
    done = {"instance": "planner-1", "done": True, "reached": True, "run": rig.node._controller.run}
    rig.hear("planner/status", String(data=json.dumps(done)), number=1)
    assert rig.ticks(0.4) == "running"
    rig.hear("planner/status", String(data=json.dumps(done)))
    assert rig.ticks(0.6) == "idle"


@pytest.mark.parametrize("topic", ["arm/target_pose", "arm/gripper_command", "controller/state"])
def test_a_second_publisher_of_an_output_stops(rig: Rig, topic: str) -> None:
    rig.start()
    rig.graph[topic] = ["controller", "stray"]
    rig.ticks(0.12)
    assert rig.mode == "stopped" and "stray' also publishes" in rig.reason
    rig.ticks(1.5)
    answer = rig.call("resume")
    assert not answer.success and "stray' also publishes" in answer.message
    rig.graph[topic] = ["controller"]
    rig.ticks(0.4)
    assert rig.call("resume").success


def test_a_second_publisher_of_an_output_keeps_it_from_starting(rig: Rig) -> None:
    rig.graph["arm/target_pose"] = ["controller", "stray"]
    rig.state()
    assert "not started: the node" in rig.call("start").message
    assert rig.ticks(0.2) == "idle", "and leaves nothing behind"


# --- who started it ---------------------------------------------------------------------------------------------------
def test_the_loss_of_who_started_it_stops(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.start()
    gone = ["process 7, which started the stack, is gone; start the stack again"]
    monkeypatch.setattr(launcher.Launcher, "trouble", lambda _: gone[0])
    rig.ticks(0.12)
    assert rig.mode == "holding" and rig.reason.startswith("process 7")
    assert rig.ticks(1.5) == "stopped"
    assert gone[0] in rig.call("resume").message
    gone[0] = ""
    rig.ticks(0.4)
    assert rig.call("resume").success


def test_the_heartbeat_of_who_started_it(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "launcher_heartbeat:=true")
    rig.ticks(0.2)
    rig.state()
    assert "nothing was heard on launcher/heartbeat yet" in rig.call("start").message
    rig.hear("launcher/heartbeat", Empty())
    rig.ticks(0.1)
    rig.start()
    for _ in range(10):
        rig.hear("launcher/heartbeat", Empty())
        assert rig.ticks(0.2) == "running"
    assert rig.ticks(0.7) == "running"
    assert rig.ticks(1.0) == "stopped" and "nothing was heard on launcher/heartbeat for 1." in rig.reason


# --- clocks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("jump_s", [-10.0, 10.0, -0.2, 3600.0])
def test_a_clock_that_is_set_holds_at_the_next_tick(rig: Rig, jump_s: float) -> None:
    rig.start()
    rig.epoch_s += jump_s
    rig.node._tick()
    assert rig.mode == "holding"
    assert f"the clock was set {'forward' if jump_s > 0 else 'back'} by {abs(jump_s):.2f} s" in rig.reason
    assert rig.ticks(0.8) == "running", "stamps of the new clock are as good as those of the old one"


def test_what_looks_wrong_by_a_clock_that_was_set_is_not_blamed(rig: Rig) -> None:
    """The arm's clock is another machine's: its stamps look wrong from then on, and may come before the next tick."""
    rig.start()
    rig.epoch_s += 10.0
    rig.hear("arm/current_pose", convert.pose_to_msg(POSE, convert.s_to_stamp(rig.node.now_s() - 10.0), "base"))
    rig.node._tick()
    assert rig.mode == "holding" and "the clock was set forward by 10.00 s" in rig.reason


def test_no_plan_no_motion(rig: Rig) -> None:
    rig.state()
    assert rig.call("start").success
    assert rig.ticks(0.5, plans=False) == "holding"
    assert rig.ticks(FIRST_PLAN_S, plans=False) == "stopped"


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("limits.speed_m_s:=0.3", "can only tighten"),
        ("limits.jerk_m_s3:=41.0", "can only tighten"),
        ("joint_margin_rad:=0.05", "joint_margin_rad"),
        ("heartbeat_s:=10.0", "heartbeat_s"),
        ("launcher_pid:=-1", "launcher_pid"),
        ("role:=anybody", "role"),
    ],
)
def test_a_preset_that_loosens_is_refused_at_start(
    context: None, monkeypatch: pytest.MonkeyPatch, parameter: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Rig(monkeypatch, parameter)


def test_a_required_robot_state_without_its_messages_is_refused(context: None, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        import franka_msgs  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="franka_msgs"):
            Rig(monkeypatch, "robot:=fr3", "require:=[robot]")
