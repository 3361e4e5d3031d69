"""What the real controller answers to each failure of the stand-in, with the preset of a real arm, while it moves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

from live_stack import Planner, live_stack

from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_sim.failures import RECOVERY

pytestmark = pytest.mark.live

HOLDS, LATCHES = ("holding", "stopped", "fault"), ("stopped", "fault")
OFF = "run chrony on both"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    with live_stack(tmp_path_factory.mktemp("live")) as planner:
        planner.ask("start")
        yield planner


@pytest.fixture
def planner(live: Planner) -> Iterator[Planner]:
    """Swaying, and well again afterwards."""
    go_on(live)
    live.states.clear()
    yield live
    live.fail(kind="none")


def go_on(planner: Planner) -> None:
    """A person has mended the arm and calls resume where it is needed, until the targets move."""
    planner.fail(kind="none")
    for step in RECOVERY:
        planner.ask(f"crisp_arm/{step}")
    wait_s = RESUME_QUIET_S
    for _ in range(10):
        if planner.sway(2.0, lambda: planner.state["mode"] in LATCHES, gripper=-1.0):
            planner.sway(wait_s)  # so shortly after a stop nobody may go on
            again = "call resume once" in planner.ask("resume").message
            wait_s = RESUME_SILENCE_S if again else RESUME_QUIET_S
        elif planner.state["mode"] == "running" and planner.travel_m(1.0) > 0.02:
            return
    raise AssertionError(f"the arm does not go on: {planner.state}")


def answered(planner: Planner, modes: tuple[str, ...], says: str) -> bool:
    return any(mode in modes and re.search(says, reason) for mode, reason in planner.states)


@pytest.mark.parametrize(
    ("failure", "modes", "says"),
    [
        ({"kind": "reflex"}, LATCHES, "cartesian_reflex; follow the recovery steps"),
        ({"kind": "user_stopped", "for_s": 1.0}, LATCHES, "mode USER_STOPPED; follow the recovery steps"),
        ({"kind": "controller_inactive"}, LATCHES, "mode IDLE: no controller moves it; activate"),
        ({"kind": "controller_gone"}, LATCHES, "mode IDLE: no controller moves it; activate"),
        ({"kind": "blocked"}, LATCHES, "does not follow"),
        ({"kind": "blocked", "value": 20.0}, LATCHES, "contact force 20 N"),
        ({"kind": "state_freezes"}, LATCHES, "does not follow"),
        ({"kind": "commands_lost", "value": 0.5}, LATCHES, "only 50 % of its control commands"),
        ({"kind": "state_drops", "value": 0.0}, LATCHES, "old|silent|no .* for"),
        ({"kind": "state_stutters", "value": 0.5}, HOLDS, "old|silent|no .* for"),
        ({"kind": "clock_off", "value": -2.0}, LATCHES, f"clock .* 2.0 s behind .*{OFF}"),
        ({"kind": "clock_off", "value": 2.0}, LATCHES, f"clock .* 2.0 s ahead of .*{OFF}"),
    ],
    ids=lambda value: "_".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_the_target_comes_to_rest_and_the_reason_is_said(
    planner: Planner, failure: dict, modes: tuple[str, ...], says: str
) -> None:
    planner.fail(**failure)
    assert planner.sway(10.0, lambda: answered(planner, modes, says)), planner.states
    if modes == LATCHES:
        planner.fail(kind="none")
        planner.sway(2.0)
        assert planner.travel_m(1.0) < 1e-6, "it is well again, and only a person's resume may move it"


@pytest.mark.parametrize(
    "failure",
    [
        {"kind": "lag", "value": 0.1},
        {"kind": "lag", "value": 0.3},
        {"kind": "friction", "value": 0.005},
        {"kind": "sinks", "value": 0.006},
        {"kind": "clock_off", "value": -0.03},
        {"kind": "clock_off", "value": 0.03},
        {"kind": "state_stutters", "value": 0.05},
        {"kind": "gripper_slow"},
        {"kind": "gripper_aborted"},
        {"kind": "gripper_lost"},
        {"kind": "gripper_stuck"},
    ],
    ids=lambda failure: "_".join(map(str, failure.values())),
)
def test_what_an_arm_may_be_like_is_lived_with(planner: Planner, failure: dict) -> None:
    planner.fail(**failure)
    gripper = 1.0 if failure["kind"].startswith("gripper") else 0.0
    planner.sway(3.0, gripper=gripper)

    def runs() -> bool:  # a busy machine may have held it for a moment
        return planner.state["mode"] == "running" and planner.travel_m(2.0) > 0.04

    assert planner.sway(10.0, runs, gripper), planner.states
    assert not any(mode in LATCHES for mode, _ in planner.states), planner.states


def test_an_arm_that_sinks_ends_at_the_floor_of_the_box(planner: Planner) -> None:
    """A load beyond the clip: nothing holds the arm up, and the controller must at least say so and stop."""
    planner.fail(kind="sinks", value=0.013)
    assert planner.sway(20.0, lambda: any(mode in LATCHES for mode, _ in planner.states)), planner.state
    reason = next(reason for mode, reason in planner.states if mode in LATCHES)
    assert re.search("does not follow|outside|floor|contact force", reason), reason


def test_resume_before_the_recovery_is_done_moves_nothing(planner: Planner) -> None:
    planner.fail(kind="reflex")
    assert planner.sway(5.0, lambda: planner.state["mode"] in LATCHES)
    planner.sway(1.5)
    answer = planner.ask("resume")
    assert not answer.success and "follow the recovery steps" in answer.message
    assert planner.ask("crisp_arm/error_recovery").success  # the robot is IDLE now: no flags, and nobody moves it
    planner.sway(1.5)
    before = len(planner.path)
    answer = planner.ask("resume")
    assert not answer.success and "mode IDLE: no controller moves it" in answer.message
    planner.sway(1.5)
    assert planner.state["mode"] in LATCHES
    assert len(planner.path) == before, "to an arm that nobody moves nothing is said"
