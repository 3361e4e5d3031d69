"""The judge sees each thing that nobody asked for, and nothing in a run as it should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from wm_core.limits import Limits
from wm_lab.fuzz.judge import Judge

DOWN = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])
TICK_S = 0.02


class Scene:
    """An ideal run, of which one thing at a time is changed."""

    def __init__(self, **limits: float) -> None:
        self.judge, self.now, self.x = Judge(Limits(**limits)), 10.0, 0.0
        self.arm, self.finger, self.follows = DOWN.copy(), 0.0, True

    @property
    def target(self) -> np.ndarray:
        return DOWN + np.array([self.x, 0, 0, 0, 0, 0])

    def start(self) -> Scene:
        self.go("idle", 1)
        self.judge.start(self.now, True)
        self.go("holding", 2)
        self.plan()
        return self

    def plan(self, taken: bool = True, age_s: float = 0.0, period_s: float = 1.0, **change: float) -> None:
        names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
        deltas = np.array([[change.get(name, 0.0) for name in names]])
        self.judge.plan(self.now, self.now - age_s, period_s, deltas, taken)

    def go(
        self, mode: str, ticks: int = 1, speed: float = 0.0, gripper: float | None = None, states: bool = True
    ) -> None:
        for _ in range(ticks):
            self.now += TICK_S
            self.x += speed * TICK_S
            if self.follows:
                self.arm = self.target
            if states:
                self.judge.measured(self.now, self.now, self.arm, self.finger)
            pose = None if mode == "idle" else self.target
            self.judge.tick(self.now, pose, gripper, mode, "" if mode == "running" else "why")


def test_a_run_as_it_should_be() -> None:
    s = Scene().start()
    s.plan(gripper=0.8)
    s.go("running", 1, speed=0.05, gripper=0.0)
    s.go("running", 40, speed=0.05, gripper=0.8)
    s.judge.forbid("voices", s.now + 1e-6)
    s.go("holding", 5, speed=0.01)
    s.go("holding", 20)
    s.judge.allow("voices")
    s.plan()
    s.go("running", 20, speed=0.05, gripper=0.8)
    s.judge.stop(s.now)
    s.go("stopped", 60)
    s.judge.resume(s.now, True)
    s.go("holding", 2)
    s.plan()
    s.go("running", 5, gripper=0.0)
    s.judge.end()
    s.go("holding", 3)
    s.go("idle", 100)
    assert s.judge.found == {}


def moves_unasked(s: Scene) -> None:
    s.go("holding", 30)
    s.go("holding", 3, speed=0.1)


def goes_on_after_a_hold(s: Scene) -> None:
    s.go("running", 5)
    s.go("holding", 120)
    s.plan()
    s.go("running")


def waits_too_long_for_a_plan(s: Scene) -> None:
    s.go("holding", 550)
    s.plan()
    s.go("running")


def trouble(s: Scene) -> None:
    s.judge.forbid("voices", s.now)
    s.go("running")


def goes_on_while_it_brakes_for_a_clock(s: Scene) -> None:
    s.go("running", 5, speed=0.1)
    s.judge.clock(s.now)
    s.go("holding", 3, speed=0.05)
    s.plan()
    s.go("running")


def latched(s: Scene) -> None:
    s.go("running")
    s.judge.forbid("launcher", s.now, latch=True)
    s.go("holding")
    s.judge.allow("launcher")
    s.go("running")


def jumped(s: Scene) -> None:
    s.go("running", 2)
    s.arm, s.follows = DOWN + np.array([0.0, 0.2, 0.0, 0, 0, 0]), False
    s.go("running", 2)


def stop_unheeded(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("running")


def leaves_stop(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped")
    s.go("holding")


def moves_while_stopped(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped", 2)
    s.go("stopped", 2, speed=0.1)


def resumes_at_once(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped", 10)
    s.judge.resume(s.now, True)


def resumes_without_looking(s: Scene) -> None:
    for _ in range(3):
        s.go("running", 5)
        s.judge.resume(s.now, False)
    s.judge.stop(s.now)
    s.go("stopped", 100)
    s.judge.resume(s.now, True)


def resumes_after_it_was_too_soon(s: Scene) -> None:
    s.judge.stop(s.now)
    for seconds, done in ((0.3, False), (4.0, True)):
        s.go("stopped", round(seconds / TICK_S))
        s.judge.resume(s.now, done)


def resumes_soon_after_a_resume(s: Scene) -> None:
    for seconds in (1.2, 4.0):
        s.judge.stop(s.now)
        s.go("stopped", round(seconds / TICK_S))
        s.judge.resume(s.now, True)
        s.go("holding", 5)


def resumes_after_a_stall(s: Scene) -> None:
    s.judge.stop(s.now)
    s.now += 5.0
    s.go("stopped")
    s.judge.resume(s.now, True)


def resumes_at_once_after_a_stop_by_itself(s: Scene) -> None:
    s.go("fault", 10)
    s.judge.resume(s.now, True)


def calls_back(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped", 20)
    s.follows = False
    s.arm = DOWN + np.array([0, 0.1, 0, 0, 0, 0])
    s.go("stopped", 4)


def calls_a_silent_arm(s: Scene) -> None:
    s.go("holding", 20)
    s.go("holding", 15, states=False)


def resumes_again_and_again(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped", 60)
    s.judge.resume(s.now, False)
    s.go("stopped", 5)
    s.judge.resume(s.now, True)


def starts_from_stop(s: Scene) -> None:
    s.judge.stop(s.now)
    s.go("stopped", 60)
    s.judge.start(s.now, True)


def starts_twice(s: Scene) -> None:
    s.go("running")
    s.judge.start(s.now, True)


def leaves_idle(s: Scene) -> None:
    s.judge.end()
    s.go("idle")
    s.go("holding")


def runs_in_no_run(s: Scene) -> None:
    s.judge.end()
    s.go("running")


def gripper_speaks(s: Scene) -> None:
    s.go("holding", 1, gripper=0.0)


def gripper_begins_elsewhere(s: Scene) -> None:
    s.go("running", 1, gripper=0.5)


def gripper_closes_at_once(s: Scene) -> None:
    s.plan(gripper=0.5)
    s.go("running", 1, gripper=0.5)


def gripper_goes_further(s: Scene) -> None:
    s.plan(gripper=0.3)
    s.go("running", 1, gripper=0.0)
    s.go("running", 1, gripper=0.5)


def gripper_nonsense(s: Scene) -> None:
    s.go("running", 1, gripper=1.5)


def far_ahead(s: Scene) -> None:
    s.go("running", 40)
    s.plan(period_s=0.1)
    s.go("running", 25)


def no_plan(s: Scene) -> None:
    s.plan(taken=False)
    s.go("running")


def silent(s: Scene) -> None:
    s.go("running", 15, states=False)


def outside(s: Scene) -> None:
    s.follows, s.arm = False, DOWN - np.array([0, 0, 0.32, 0, 0, 0])
    s.go("running")


def leans(s: Scene) -> None:
    s.follows, s.arm = False, DOWN + np.array([0, 0, 0, 0.7, 0, 0])
    s.go("running")


def run_on(s: Scene, ticks: int, arm: Callable[[int], np.ndarray]) -> None:
    s.follows = False
    for k in range(ticks):
        s.arm = arm(k)
        s.plan()
        s.go("running")


def blocked(s: Scene) -> None:
    s.x = 0.045
    run_on(s, 90, lambda k: DOWN)


def elsewhere(s: Scene) -> None:
    run_on(s, 140, lambda k: DOWN + np.array([0, 0.045 + 0.003 * (k % 3), 0, 0, 0, 0]))


def led(s: Scene) -> None:
    run_on(s, 125, lambda k: DOWN + np.array([0.004 * k - 0.22, 0, 0, 0, 0, 0]))


SEEN = [
    ("went on before it was at rest after a fault of the clock", goes_on_while_it_brakes_for_a_clock),
    ("moved on while not running", moves_unasked),
    ("went on by itself after a long hold", goes_on_after_a_hold),
    ("went on by itself after a long hold", waits_too_long_for_a_plan),
    ("ran with trouble: voices", trouble),
    ("went on by itself after: launcher", latched),
    ("went on by itself after: a pose that jumped", jumped),
    ("not stopped by a stop", stop_unheeded),
    ("left a latched mode by itself", leaves_stop),
    ("moved while stopped", moves_while_stopped),
    ("resumed at once after a stop", resumes_at_once),
    ("resumed by a call that is repeated", resumes_again_and_again),
    ("resumed by a program that does not look", resumes_without_looking),
    ("resumed by a program that does not look", resumes_after_it_was_too_soon),
    ("resumed at once after a stop", resumes_soon_after_a_resume),
    ("resumed at once after a stop", resumes_after_a_stall),
    ("resumed at once after a stop", resumes_at_once_after_a_stop_by_itself),
    ("called an arm back that was moved", calls_back),
    ("called an arm that is silent", calls_a_silent_arm),
    ("start cleared a stop", starts_from_stop),
    ("started what was started", starts_twice),
    ("left idle by itself", leaves_idle),
    ("ran in no run", runs_in_no_run),
    ("the gripper was told something while not running", gripper_speaks),
    ("the gripper moved unasked", gripper_begins_elsewhere),
    ("the gripper moved unasked", gripper_closes_at_once),
    ("the gripper moved unasked", gripper_goes_further),
    ("the gripper was told nonsense", gripper_nonsense),
    ("ran beyond the horizon of its plan", far_ahead),
    ("ran without a plan", no_plan),
    ("ran without a report of the arm", silent),
    ("ran while the arm was outside the box", outside),
    ("ran while the tool leaned over", leans),
    ("ran while the arm did not follow", blocked),
    ("ran while the arm was elsewhere", elsewhere),
    ("ran while the arm was led away", led),
]


@pytest.mark.parametrize(("what", "happens"), SEEN)
def test_it_sees(what: str, happens: Callable[[Scene], None]) -> None:
    s = Scene().start()
    happens(s)
    assert what in s.judge.found, s.judge.found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"period_s": 5.0}, "period"),
        ({"period_s": float("nan")}, "period"),
        ({"age_s": 1.5}, "not of now"),
        ({"age_s": -0.5}, "not of now"),
        ({"age_s": float("nan")}, "not of now"),
        ({"age_s": 0.5}, "before the start"),
        ({"x": 3.0}, "beyond all reason"),
        ({"gripper": 1e300}, "beyond all reason"),
        ({"yaw": float("inf")}, "not finite"),
    ],
)
def test_it_knows_which_plans_must_not_be_taken(change: dict, what: str) -> None:
    s = Scene().start()
    s.plan(**change)
    assert any(found.startswith("took") and what in found for found in s.judge.found), s.judge.found
    refused = Scene().start()
    refused.plan(taken=False, **change)
    assert refused.judge.found == {}


@pytest.mark.parametrize(
    "deltas", [None, "forward", [[1], [2, 3]], np.zeros((0, 7)), np.zeros((2, 6)), np.zeros((257, 7))]
)
def test_it_knows_what_is_no_plan(deltas: object) -> None:
    s = Scene().start()
    s.judge.plan(s.now, s.now, 0.1, deltas, True)
    assert any(found.startswith("took a plan") for found in s.judge.found)


def test_twists() -> None:
    zero, slow = (0.0, 0.0, 0.0), (0.005, 0.0, 0.0)
    judge = Judge(Limits())
    for k, (linear, mode) in enumerate([(zero, "holding"), (slow, "running"), (slow, "holding"), (zero, "holding")]):
        judge.twist(0.02 * k, linear, zero, mode)
    assert judge.found == {}
    judge.twist(0.10, (0.02, 0.0, 0.0), zero, "running")
    judge.twist(0.12, (0.08, 0.0, 0.0), zero, "running")
    judge.twist(0.14, zero, (0.0, 0.0, 0.4), "running")
    judge.twist(0.16, (0.11, 0.0, 0.0), zero, "stopped")
    judge.twist(0.5, slow, zero, "holding")
    judge.twist(0.9, slow, zero, "holding")
    assert {"a twist beyond its speed", "a twist beyond its acceleration", "a turn beyond its speed"} <= set(
        judge.found
    )
    assert {"a twist while stopped", "a twist while not running"} <= set(judge.found)
