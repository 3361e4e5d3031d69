"""planner_node: what makes it plan, and what it says. Messages are real; the transport is left out."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import rclpy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from wm_core.reports import ControllerState, Mode
from wm_planner import planner_node, role
from wm_planner.planner_node import PlannerNode
from wm_planner.role import SILENT_S
from wm_ros import convert, voices
from wm_ros.node import report_to_msg

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

A, B = "0000000a", "0000000b"
_numbers = itertools.count()


class Rig:
    """The node between an encoder, an arm and a controller that say what the test wants."""

    def __init__(self, *parameters: str) -> None:
        small = [f"optimiser.{size}" for size in ("samples:=16", "elites:=4", "kept_elites:=1", "iterations:=1")]
        given = "bundle:=/bundle", *small, *parameters
        words = [word for parameter in given for word in ("-p", parameter)]
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/plan{next(_numbers)}", *words])
        self.node = PlannerNode()
        self.plans: list = []
        self.status: dict = {}
        self.node._role._plans.publish = self.plans.append  # type: ignore[method-assign]
        self.node._role._status.publish = self._on_status  # type: ignore[method-assign]
        self._x = itertools.count()

    def _on_status(self, msg: String) -> None:
        self.status = json.loads(msg.data)

    def controller(self, mode: str, run: str) -> None:
        self.node._role._on_state(report_to_msg(ControllerState(Mode(mode), "", 0.0, run)))

    def encode(self, run: str | None, count: int = 1, stamp_s: float = 1.0, value: float = 5.0, but: int = -1) -> None:
        """Latents of goal pictures; ``run`` None: of the planner's own."""
        if run is None:
            label = self.node._pictures.label
            assert label is not None
            run, stamp_s, count = label.run, label.stamp_s, label.count
        for k in range(count):
            if k != but:
                latent = np.full((1, 7), value, np.float32)
                frame = convert.goal_frame(k, count, run)
                self.node._on_goal(convert.latent_to_msg(latent, convert.s_to_stamp(stamp_s), frame))

    def see(self, moved_m: float = 0.0, value: float = 0.0) -> int:
        """A frame that is due, whose latent lies at a goal of the same value; how many plans came of it."""
        before = len(self.plans)
        self.node._planned_s = -1.0
        stamp = self.node.get_clock().now().to_msg()
        arm = self.node._sight._arm
        arm._on_gripper(convert.gripper_to_msg(0.0, stamp))
        arm._on_pose(convert.pose_to_msg([0.45 + moved_m, 0.0, 0.2, np.pi, 0.0, 0.0], stamp, "base"))
        latent = np.full((1, 7), value, np.float32)
        latent[0, 6] = 1e-6 * next(self._x)
        self.node._sight._on_latent(convert.latent_to_msg(latent, stamp, "camera"))
        self.settle()
        return len(self.plans) - before

    def settle(self) -> None:
        """Wait for the worker."""
        worker = self.node._worker
        with worker._changed:
            worker._changed.wait_for(lambda: True)
        until_s = time.monotonic() + 10.0
        done: list[bool] = []
        while worker._latest is not None and time.monotonic() < until_s:
            time.sleep(0.001)
        worker.submit(lambda: done.append(True))
        while not done and time.monotonic() < until_s:
            time.sleep(0.001)
        assert done

    def use_goals(self) -> Trigger.Response:
        response = self.node._on_use_goals(Trigger.Request(), Trigger.Response())
        self.settle()
        return response

    def says(self) -> dict:
        self.node._role.say(self.node._silence())
        return self.status


@pytest.fixture
def start(additive: type, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    monkeypatch.setattr(planner_node.Bundle, "load", lambda _: SimpleNamespace())
    monkeypatch.setattr(planner_node.imagination, "load", lambda *_: additive())
    started: list[Rig] = []

    def begin(*parameters: str) -> Rig:
        started.append(Rig(*parameters))
        return started[-1]

    yield begin
    for rig in started:
        rig.node.close()
        rig.node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def folder(tmp_path):
    for k in range(2):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.zeros((4, 6, 3), np.uint8))
    return tmp_path


def test_it_plans_for_a_run_whose_start_it_saw(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}")
    assert rig.says()["reason"] and not rig.status["run"]
    rig.controller("idle", A)
    rig.encode(None)
    assert rig.see() == 0 and rig.says()["reason"] == "the controller is idle"
    rig.controller("holding", A)
    assert rig.see() == 1 and rig.status["run"] == A and rig.status["planned"] and rig.status["goals"] == ["", ""]
    rig.controller("running", A)
    assert rig.see() == 1
    rig.controller("stopped", A)
    assert rig.see() == 0 and rig.says()["run"] == A and not rig.status["done"]
    rig.controller("holding", A)
    assert rig.see() == 1
    instance = rig.status["instance"]
    assert len(instance) == 8 and int(instance, 16) >= 0


def test_a_run_that_began_before_it_is_ended_and_not_planned_for(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}")
    rig.encode(None)
    rig.controller("running", A)
    assert rig.see() == 0
    assert rig.says()["run"] == A and rig.status["done"] and not rig.status["reached"]
    assert "the run began before this node was up" in rig.status["reason"] and "call start" in rig.status["reason"]


def test_the_last_goal_ends_it_until_another_start(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}", "subgoals.done_steps:=0.0", "subgoals.done_energy:=0.01")
    rig.encode(None, value=0.0)
    rig.controller("idle", A)
    rig.controller("running", A)
    assert rig.see(value=3.0) == 1
    assert rig.see(0.02) == 0
    assert rig.says()["done"] and rig.status["reached"] and rig.status["goals"] == ["reached", "reached"]
    assert rig.status["reason"] == "goal reached"
    rig.encode(A, 2, value=5.0)
    for mode in ("holding", "running", "stopped", "holding"):
        rig.controller(mode, A)
        assert rig.see() == 0
        assert "this run has ended" in rig.use_goals().message
    rig.controller("idle", B)
    assert rig.says()["run"] == A and rig.status["done"] and rig.status["reached"]
    rig.controller("holding", B)
    assert rig.see() == 1 and rig.status["run"] == B and not rig.status["done"]


def test_an_arm_that_did_not_move_has_not_reached_the_goal(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}", "subgoals.done_steps:=0.0", "subgoals.done_energy:=0.01")
    rig.encode(None, value=0.0)
    rig.controller("idle", A)
    rig.controller("running", A)
    assert rig.see() == 0
    assert rig.says()["done"] and not rig.status["reached"] and rig.status["goals"] == ["passed", "passed"]
    assert "the last goal was not reached" in rig.status["reason"]


@pytest.mark.parametrize("run", ["", "deadbeef"])
def test_pictures_that_nobody_asked_for_change_nothing(start: Callable[..., Rig], folder, run: str) -> None:
    rig = start(f"goal:={folder}")
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    assert rig.see() == 1
    rig.encode(run, 1, stamp_s=9.0, value=0.0)
    rig.encode(run, 8, stamp_s=10.0, value=0.0, but=3)
    assert rig.see(0.02) == 1 and rig.status["subgoals"] == 2 and not rig.status["done"]
    assert "belong to no run" in rig.says()["aside"] and rig.node._health().ok
    answer = rig.use_goals()
    assert not answer.success and "no goal pictures wait" in answer.message and rig.see() == 1


def test_pictures_of_the_run_are_used_when_they_are_asked_for(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}", "subgoals.budget_steps:=1.0")
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    assert rig.see() == 1
    rig.encode(A, 3, but=2)
    assert not rig.use_goals().success and rig.says()["pending"] == "2 of 3 goal pictures are encoded"
    assert rig.see() == 1 and rig.status["subgoals"] == 2
    rig.encode(A, 3)
    assert rig.see() == 1 and rig.status["subgoals"] == 2, "not before they are asked for"
    answer = rig.use_goals()
    assert answer.success and answer.message == f"3 goal pictures, stamped 1.000, are in use in run {A}"
    assert rig.see() == 1 and rig.status["subgoals"] == 3 and rig.status["subgoal"] == 0
    assert not rig.use_goals().success, "they are in use"


def test_pictures_of_the_next_run_can_be_laid_in_while_idle(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.controller("idle", A)
    assert rig.says()["reason"] and rig.status["subgoals"] == 0
    rig.encode(A, 2)
    assert rig.use_goals().success
    assert rig.see() == 0
    rig.controller("holding", A)
    assert rig.see() == 1 and rig.status["subgoals"] == 2


def test_a_start_without_goals_is_ended(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.controller("idle", A)
    rig.controller("holding", A)
    assert rig.says()["done"] and rig.status["run"] == A and not rig.status["reached"]
    rig.encode(A, 2)
    assert not rig.use_goals().success and rig.see() == 0
    rig.controller("idle", B)
    rig.encode(B, 2)
    assert rig.use_goals().success
    rig.controller("holding", B)
    assert rig.see() == 1


@pytest.mark.parametrize("end", ["done", "idle", "another"])
def test_what_waited_for_a_run_that_has_ended_is_forgotten(start: Callable[..., Rig], folder, end: str) -> None:
    rig = start(f"goal:={folder}")
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    rig.encode(A, 2)
    assert rig.says()["pending"] == "2 of 2 goal pictures are encoded"
    runs = rig.node._role.runs
    if end == "done":
        runs.finish(runs.turn, True)
        assert rig.says()["pending"] == "", "at once, while the controller still runs"
        rig.encode(A, 2, stamp_s=9.0)
        assert rig.says()["pending"] == "" and "belong to no run" in rig.status["aside"]
        assert "this run has ended" in rig.use_goals().message
        rig.controller("running", A)
    else:
        rig.controller("idle" if end == "idle" else "running", B)
    assert not rig.node._sets._latents and rig.says()["pending"] == ""
    assert not rig.use_goals().success
    assert rig.status["subgoals"] == 2


def test_a_controller_that_is_gone_is_not_believed(
    start: Callable[..., Rig], folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, it says nothing more: its last word may be that it runs."""
    rig, now_s = start(f"goal:={folder}"), [1000.0]
    monkeypatch.setattr(role, "steady_s", lambda: now_s[0])
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    for _ in range(4):
        now_s[0] += 0.5
        rig.node._role._keep_alive()
        rig.controller("running", A)
        assert rig.see() == 1
    now_s[0] += SILENT_S + 0.1
    rig.node._role._keep_alive()
    assert rig.status["reason"] == "the controller is silent" and rig.see() == 0
    assert "the controller is silent" in rig.use_goals().message
    rig.controller("running", A)
    assert rig.see() == 1, "it was suspended"
    now_s[0] += SILENT_S + 0.1
    rig.node._role._keep_alive()
    rig.controller("running", B)
    assert rig.see() == 0 and rig.says()["done"], "another one, whose start was not seen"


def test_goals_that_cannot_be_planned_with_leave_those_in_use(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}", "subgoals.budgets_steps:=[2.0, 2.0]")
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    rig.encode(A, 3)
    answer = rig.use_goals()
    assert not answer.success and "3 goal pictures, but budgets_steps is for 2" in answer.message
    assert "no goal pictures wait" in rig.use_goals().message, "what was refused is not in the way of others"
    rig.encode(A, 2, stamp_s=5.0, value=float("nan"))
    assert "not finite" in rig.says()["aside"] and not rig.use_goals().success
    assert rig.see() == 1 and rig.status["subgoals"] == 2


def test_of_two_sets_none_is_used_until_one_is_shown_alone(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.controller("idle", A)
    rig.encode(A, 2)
    rig.encode(A, 1, stamp_s=7.0, value=0.0)
    assert "2 whole sets" in rig.says()["pending"]
    assert "2 whole sets" in rig.use_goals().message and rig.status["subgoals"] == 0
    assert not rig.use_goals().success
    rig.encode(A, 2, stamp_s=9.0)
    assert rig.use_goals().success


@pytest.mark.parametrize("running", [False, True])
def test_a_second_node_that_shows_goals_is_named_and_nothing_of_it_is_used(
    start: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    rig = start()
    space = rig.node.get_namespace()
    names = [f"{space}/planner", "/lab"]
    monkeypatch.setattr(voices, "speakers", lambda _, topic: [(n, b"") for n in names if topic.endswith("goal/image")])
    rig.controller("idle", A)
    rig.encode(A, 2)
    if running:
        assert rig.use_goals().success and rig.says()["rivals"] == ""
        rig.controller("running", A)
        rig.encode(A, 3, stamp_s=7.0)
    names.append("/stray")
    said = f"the nodes 'lab' and 'stray' publish {space}/goal/image; end all but one"
    answer = rig.use_goals()
    assert not answer.success and said in answer.message and rig.says()["rivals"] == said
    assert rig.status["subgoals"] == (2 if running else 0)
    names.remove("/stray")
    assert not rig.use_goals().success, "which of them showed what was there is not known"
    rig.encode(A, 1, stamp_s=9.0)
    assert rig.use_goals().success


def test_own_goals_that_cannot_be_planned_with_are_said(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}", "subgoals.budgets_steps:=[2.0, 2.0, 2.0]")
    rig.encode(None)
    assert "2 goal pictures, but budgets_steps is for 3" in rig.node._health().message


@pytest.mark.parametrize(
    "data", ["{", "[]", "3", '{"mode": 3}', '{"mode": "running", "run": 7}', "[" * 100_000, '{"mode": "' + "x" * 10**7]
)
def test_a_state_that_cannot_be_read_is_said_and_survived(start: Callable[..., Rig], folder, data: str) -> None:
    rig = start(f"goal:={folder}")
    said: list[str] = []
    rig.node.warn = said.append  # type: ignore[method-assign]
    rig.encode(None)
    rig.controller("idle", A)
    rig.controller("running", A)
    assert rig.see() == 1
    rig.node._role._on_state(String(data=data))
    assert rig.see() == 0 and "controller/state cannot be read" in said[0] and len(said[0]) < 300
    assert rig.node._health().values["unreadable"] == 1
    rig.controller("holding", A)
    assert rig.see() == 1


def test_own_pictures_are_shown_until_they_are_encoded(start: Callable[..., Rig], folder) -> None:
    rig = start(f"goal:={folder}")
    shown: list = []
    rig.node._pictures._publisher.publish = shown.append  # type: ignore[method-assign]
    rig.node._pictures.show()
    assert [msg.header.frame_id for msg in shown] == [
        f"subgoal_{k}_of_2_run_{rig.node._role.instance}" for k in range(2)
    ]
    rig.encode(None)
    shown.clear()
    rig.node._pictures.show()
    assert shown == []
