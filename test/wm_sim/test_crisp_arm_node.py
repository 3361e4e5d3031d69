"""The quirks of the mock arm, then the real controller_node with the preset of a real arm against it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from live_stack import Planner, live_stack  # noqa: E402
from std_msgs.msg import Float64MultiArray, String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from wm_core import pose as poses  # noqa: E402
from wm_core.config import ConfigError  # noqa: E402
from wm_ros import convert, qos  # noqa: E402
from wm_sim.crisp_arm_node import CrispArmNode  # noqa: E402
from wm_sim.crisp_law import unnormalised  # noqa: E402
from wm_sim.failures import RECOVERY, Failure  # noqa: E402
from wm_sim.node_config import CrispArmConfig  # noqa: E402
from wm_sim.scene import HOME_POSE  # noqa: E402

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def arm() -> Iterator[CrispArmNode]:
    rclpy.init(args=["--ros-args", "-r", "__ns:=/alone"])  # beside the one of the live test
    made = CrispArmNode()
    yield made
    made.close()
    made.destroy_node()
    rclpy.shutdown()


@pytest.fixture(autouse=True)
def _at_home(request: pytest.FixtureRequest) -> None:
    if "arm" in request.fixturenames:
        node = request.getfixturevalue("arm")
        node._failures.begin(Failure(), time.monotonic())
        for step in RECOVERY:
            node._failures.robot.recover(step)
        node._scene.reset(0)
        node._law.seat(HOME_POSE)
        node._on_gripper(Float64MultiArray(data=[1.0]))
        node._advance(1.0)


def target(pose, frame: str = "base", scale: float = 1.0) -> PoseStamped:
    message = convert.pose_to_msg(pose, convert.s_to_stamp(0.0), frame)
    q = message.pose.orientation
    q.x, q.y, q.z, q.w = q.x * scale, q.y * scale, q.z * scale, q.w * scale
    return message


def moved(by: tuple[float, float, float]) -> np.ndarray:
    return HOME_POSE + np.array([*by, 0.0, 0.0, 0.0])


def test_the_frame_id_is_ignored_and_the_last_target_held_for_ever(arm: CrispArmNode) -> None:
    arm._on_target(target(moved((0.05, 0.0, 0.0)), frame="the moon"))
    arm._advance(2.0)
    first = arm._scene.state().pose
    np.testing.assert_allclose(first[:3], moved((0.05, 0.0, 0.0))[:3], atol=2e-3)
    arm._advance(5.0)
    np.testing.assert_allclose(arm._scene.state().pose[:3], first[:3], atol=1e-3)


def test_it_lags_and_its_pull_is_clipped(arm: CrispArmNode) -> None:
    arm._on_target(target(moved((0.15, 0.0, 0.0))))
    arm._advance(0.1)
    x = arm._scene.state().pose[0]
    assert x < HOME_POSE[0] + 0.02, "a jump of 15 cm is followed slowly"
    speeds = []
    for _ in range(20):
        arm._advance(0.1)
        before, x = x, arm._scene.state().pose[0]
        speeds.append((x - before) / 0.1)
    assert 0.05 < max(speeds) < 0.16, "stiffness times clip over damping is 0.12 m/s"


def test_a_quaternion_is_not_normalised(arm: CrispArmNode) -> None:
    unit = np.array([0.0, 0.6, 0.0, 0.8])
    np.testing.assert_allclose(unnormalised(unit), poses.quaternion_to_matrix(unit), atol=1e-12)
    doubled = unnormalised(2.0 * unit)
    assert np.abs(doubled @ doubled.T - np.eye(3)).max() > 1.0
    tilted = np.array([*HOME_POSE[:3], math.pi, 0.2, 0.0])
    turns = []
    for scale in (1.0, 0.7):
        arm._on_target(target(tilted, scale=scale))
        arm._advance(1.5)
        turns.append(arm._scene.state().pose[3:])
    assert float(poses.tilt(turns[0])) == pytest.approx(0.2, abs=0.02)
    assert abs(float(poses.tilt(turns[1])) - 0.2) > 0.03, "a careless sender gets another rotation"


def test_the_gripper_runs_from_0_closed_to_1_open(arm: CrispArmNode) -> None:
    stamp = convert.s_to_stamp(1.0)
    for command, closed in ((0.4, True), (0.6, False)):
        arm._on_gripper(Float64MultiArray(data=[command]))
        arm._advance(1.0)
        message = arm._gripper_msg(arm._scene.state().gripper, stamp)
        assert message.name == ["gripper_joint"] and (message.position[0] < 0.2) == closed


def test_what_is_no_number_is_dropped(arm: CrispArmNode) -> None:
    message = target(HOME_POSE)
    message.pose.position.x = math.nan
    dropped = arm._dropped
    arm._on_target(message)
    assert arm._dropped == dropped + 1 and "not finite" in arm._health().message


@pytest.mark.parametrize("far", [1e3, -1e300])
def test_a_target_that_is_no_place_is_dropped_and_the_arm_stays_finite(arm: CrispArmNode, far: float) -> None:
    message = target(HOME_POSE)
    message.pose.position.y = far
    arm._on_target(message)
    arm._advance(0.1)
    assert "is no place for this arm" in arm._health().message
    np.testing.assert_allclose(arm._scene.state().pose[:3], HOME_POSE[:3], atol=2e-3)


# --- failures --------------------------------------------------------------------------------------------------------
def fail(arm: CrispArmNode, text: str) -> None:
    arm._on_fail(String(data=text))


def position(arm: CrispArmNode) -> np.ndarray:
    return arm._scene.state().pose[:3]


AWAY = (0.05, 0.0, 0.0)


@pytest.mark.parametrize("kind", ["reflex", "user_stopped", "controller_inactive", "controller_gone", "blocked"])
def test_it_stands_in_motion_and_ignores_targets(arm: CrispArmNode, kind: str) -> None:
    arm._on_target(target(moved(AWAY)))
    arm._advance(0.3)
    before = position(arm)
    assert 0.005 < before[0] - HOME_POSE[0] < 0.045, "under way"
    fail(arm, f'{{"kind": "{kind}"}}')
    for _ in range(3):
        arm._on_target(target(moved((-0.05, 0.1, 0.05))))
        arm._advance(1.0)
        np.testing.assert_allclose(position(arm), before, atol=5e-3)


@pytest.mark.parametrize("kind", ["controller_inactive", "controller_gone"])
def test_a_controller_that_comes_back_rests_where_the_arm_is(arm: CrispArmNode, kind: str) -> None:
    arm._on_target(target(moved(AWAY)))
    arm._advance(0.3)
    fail(arm, f'{{"kind": "{kind}"}}')
    arm._advance(0.5)
    before = position(arm)
    fail(arm, '{"kind": "none"}')
    arm._advance(1.0)
    np.testing.assert_allclose(position(arm), before, atol=2e-3)
    arm._on_target(target(moved(AWAY)))
    arm._advance(1.5)
    np.testing.assert_allclose(position(arm), moved(AWAY)[:3], atol=2e-3)


def test_a_blocked_arm_that_is_freed_goes_on_to_its_target(arm: CrispArmNode) -> None:
    fail(arm, '{"kind": "blocked", "value": 20.0}')
    arm._on_target(target(moved(AWAY)))
    arm._advance(1.0)
    np.testing.assert_allclose(position(arm), HOME_POSE[:3], atol=2e-3)
    force = arm._measured_wrench()[:3]
    assert force[0] < -18.0 and np.linalg.norm(force) == pytest.approx(20.0, abs=2.0)
    fail(arm, '{"kind": "none"}')
    arm._advance(1.5)
    np.testing.assert_allclose(position(arm), moved(AWAY)[:3], atol=2e-3)
    assert np.linalg.norm(arm._measured_wrench()[:3]) < 2.0


def test_after_a_reflex_it_moves_only_when_all_three_steps_are_done(arm: CrispArmNode) -> None:
    def ask(step: str) -> Trigger.Response:
        return arm._on_recovery(step, Trigger.Request(), Trigger.Response())

    fail(arm, '{"kind": "reflex"}')
    refused = ask("switch_controllers")
    assert not refused.success and refused.message == "error_recovery comes first"
    for step in RECOVERY:
        arm._on_target(target(moved(AWAY)))
        arm._advance(0.3)
        np.testing.assert_allclose(position(arm), HOME_POSE[:3], atol=2e-3)
        assert ask(step).success
    arm._advance(0.5)
    np.testing.assert_allclose(position(arm), HOME_POSE[:3], atol=2e-3, err_msg="nothing is caught up with")
    arm._on_target(target(moved(AWAY)))
    arm._advance(1.5)
    np.testing.assert_allclose(position(arm), moved(AWAY)[:3], atol=2e-3)


@pytest.mark.parametrize("lag_s", [0.1, 0.3])
def test_a_lagging_arm_is_late_and_arrives(arm: CrispArmNode, lag_s: float) -> None:
    """A ramp of 0.05 m/s, which the clip does not slow down: the arm is behind by speed times lag."""

    def behind() -> float:
        fail(arm, '{"kind": "none"}') if lag_s == 0.0 else fail(arm, f'{{"kind": "lag", "value": {lag_s}}}')
        for k in range(1, 121):
            arm._on_target(target(moved((5e-4 * k, 0.0, 0.0))))
            arm._advance(0.01)
        return moved((0.06, 0.0, 0.0))[0] - position(arm)[0]

    late_m = behind()
    assert late_m == pytest.approx(0.05 * (lag_s + 2.0 / math.sqrt(600.0)), abs=2e-3)
    arm._advance(2.0)
    np.testing.assert_allclose(position(arm), moved((0.06, 0.0, 0.0))[:3], atol=2e-3)


def test_friction_leaves_a_steady_error(arm: CrispArmNode) -> None:
    fail(arm, '{"kind": "friction", "value": 0.005}')
    arm._on_target(target(moved(AWAY)))
    arm._advance(3.0)
    assert moved(AWAY)[0] - position(arm)[0] == pytest.approx(0.005, abs=1e-3)


def test_a_small_load_is_a_steady_error_and_one_beyond_the_clip_goes_down_to_the_table(arm: CrispArmNode) -> None:
    fail(arm, '{"kind": "sinks", "value": 0.006}')
    arm._advance(2.0)
    assert HOME_POSE[2] - position(arm)[2] == pytest.approx(0.006, abs=1e-3)
    fail(arm, '{"kind": "sinks"}')
    heights = []
    for _ in range(4):
        arm._on_target(target(HOME_POSE))
        arm._advance(1.0)
        heights.append(position(arm)[2])
    steps = -np.diff(heights)
    assert (steps > 0.01).all() and (steps < 0.05).all(), "it sinks slowly, whatever it is told"
    arm._advance(15.0)
    assert position(arm)[2] < 0.01
    assert arm._measured_wrench()[2] > 2.0, "and what it lies on is felt"


def test_a_clock_that_is_off_shifts_every_stamp_of_the_arm(arm: CrispArmNode) -> None:
    now = arm.get_clock().now()
    for off_s in (0.03, -2.0, 2.0):
        fail(arm, f'{{"kind": "clock_off", "value": {off_s}}}')
        assert convert.stamp_to_s(arm._stamp(now)) == pytest.approx(1e-9 * now.nanoseconds + off_s, abs=1e-6)
    fail(arm, '{"kind": "clock_off", "value": -1e6}')
    fail(arm, '{"kind": "none"}')
    assert arm._stamp(now) == now.to_msg()


def test_a_state_that_freezes_goes_on_with_the_values_of_before(arm: CrispArmNode) -> None:
    before = arm._measured().pose.copy()
    fail(arm, '{"kind": "state_freezes"}')
    arm._on_target(target(moved(AWAY)))
    arm._advance(1.5)
    np.testing.assert_array_equal(arm._measured().pose, before)
    np.testing.assert_allclose(position(arm), moved(AWAY)[:3], atol=2e-3)
    fail(arm, '{"kind": "none"}')
    np.testing.assert_array_equal(arm._measured().pose[:3], position(arm))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"kind": 3}', '{"kind": "reflx"}', '{"kind": "lag", "value": 1e999}', "\ud83d"]
)
def test_what_is_no_failure_changes_nothing(arm: CrispArmNode, text: str) -> None:
    fail(arm, '{"kind": "lag"}')
    fail(arm, text)
    assert arm._failures.on == ["lag"]


@pytest.mark.parametrize("kind", ["gripper_lost", "gripper_stuck"])
def test_a_hand_that_does_nothing(arm: CrispArmNode, kind: str) -> None:
    fail(arm, f'{{"kind": "{kind}"}}')
    arm._on_gripper(Float64MultiArray(data=[0.0]))
    arm._advance(1.0)
    assert arm._scene.state().gripper < 0.05


def test_a_hand_that_is_slow_and_one_that_gives_up_on_the_way(arm: CrispArmNode) -> None:
    fail(arm, '{"kind": "gripper_slow", "value": 4.0}')
    arm._on_gripper(Float64MultiArray(data=[0.0]))
    arm._advance(2.0)
    assert arm._scene.state().gripper == pytest.approx(0.5, abs=0.1)
    fail(arm, '{"kind": "none"}')
    arm._on_gripper(Float64MultiArray(data=[1.0]))
    arm._advance(1.0)
    fail(arm, '{"kind": "gripper_aborted", "value": 0.6}')
    arm._on_gripper(Float64MultiArray(data=[0.0]))
    arm._advance(2.0)
    assert arm._scene.state().gripper == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize("wrong", [{"lag_s": -1.0}, {"error_clip_m": 0.0}, {"error_clip_rad": math.nan}])
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        CrispArmConfig(**wrong)


# --- the real controller_node against it -----------------------------------------------------------------------------
@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Planner]:
    with live_stack(tmp_path) as planner:
        yield planner


def test_the_real_back_end_moves_5_cm_and_grasps_and_names_a_rival(stack: Planner) -> None:
    planner = stack
    start = planner.pose.copy()
    assert planner.ask("start").success
    planner.go(start[:3] + [0.05, 0.0, 0.0])
    assert planner.pose[0] - start[0] == pytest.approx(0.05, abs=5e-3)
    assert planner.targets > 30 and not planner.broken(), planner.broken()
    assert planner.force_n is not None and planner.force_n < 15.0
    assert set(planner.joints) == {f"fr3_joint{k}" for k in range(1, 8)} and -2.8 < planner.joints["fr3_joint4"] < -2.0
    planner.go(planner.pose[:3] + [0.0, 0.01, 0.0], gripper=1.0)
    planner.spin_until(lambda: planner.closed > 0.8, 5.0, "the gripper did not close")

    # A second publisher: CRISP would drop everything; the controller says so, names it, and stops for good.
    rival = rclpy.create_node("teleop", context=planner.context)
    intruder = rival.create_publisher(PoseStamped, "target_pose", qos.COMMAND)
    planner.spin_until(lambda: planner.state.get("mode") in ("stopped", "fault"), 5.0, "the rival was not noticed")
    assert "'teleop' also publishes /target_pose" in planner.state["reason"]
    held = planner.pose.copy()
    for _ in range(20):
        intruder.publish(target(moved((0.2, 0.3, 0.2))))
        planner.executor_.spin_once(timeout_sec=0.05)
    np.testing.assert_allclose(planner.pose[:3], held[:3], atol=3e-3)
    answer = planner.ask("start")
    assert (not answer.success and "resume" in answer.message) or "teleop" in answer.message
    rival.destroy_node()
    planner.spin_until(lambda: planner.count_publishers("target_pose") == 1, 5.0, "the rival is still there")
    planner.resume()
    planner.go(planner.pose[:3] + [-0.02, 0.0, 0.0])
    assert not planner.broken(), planner.broken()
