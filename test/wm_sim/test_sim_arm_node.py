"""The simulated arm as a node: what it is told wrongly it survives, and no clock but time itself moves or stops it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from std_msgs.msg import Float64MultiArray, Int64  # noqa: E402

from wm_core.config import ConfigError, from_dict  # noqa: E402
from wm_ros import convert, qos  # noqa: E402
from wm_sim.node_config import SimArmConfig  # noqa: E402
from wm_sim.scene import HOME_POSE  # noqa: E402
from wm_sim.sim_arm_node import SimArmNode  # noqa: E402

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def arm() -> Iterator[SimArmNode]:
    rclpy.init()
    made = SimArmNode()
    yield made
    made.close()
    made.destroy_node()
    rclpy.shutdown()


def test_a_reset_moves_the_cube_and_leaves_the_arm(arm: SimArmNode) -> None:
    before = arm._scene.state().pose
    arm._on_reset(Int64(data=7))
    cube = arm._scene.cube_position()
    arm._on_reset(Int64(data=8))
    assert not np.allclose(arm._scene.cube_position(), cube)
    arm._on_reset(Int64(data=7))
    np.testing.assert_array_equal(arm._scene.cube_position(), cube)
    np.testing.assert_array_equal(arm._scene.state().pose, before)


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**32, 2**63 - 1])
def test_what_is_no_seed_is_left_aside(arm: SimArmNode, seed: int) -> None:
    arm._on_reset(Int64(data=7))
    cube = arm._scene.cube_position()
    arm._on_reset(Int64(data=seed))
    assert arm._seed == 7
    np.testing.assert_array_equal(arm._scene.cube_position(), cube)


def test_the_greatest_seed_is_a_seed(arm: SimArmNode) -> None:
    arm._on_reset(Int64(data=2**32 - 1))
    assert arm._seed == 2**32 - 1


@pytest.mark.parametrize("where", [math.nan, math.inf, 1e300, -50.0])
def test_a_target_that_is_no_place_is_dropped_and_the_arm_stays(arm: SimArmNode, where: float) -> None:
    message = convert.pose_to_msg(HOME_POSE, convert.s_to_stamp(0.0), "base")
    message.pose.position.x = where
    arm._on_target(message)
    arm._advance(0.2)
    assert arm._trouble.startswith("a target was dropped")
    np.testing.assert_allclose(arm._scene.state().pose[:3], HOME_POSE[:3], atol=3e-3)


@pytest.mark.parametrize("data", [[], [0.5, 0.5], [math.nan]])
def test_a_gripper_command_that_is_none_is_dropped(arm: SimArmNode, data: list[float]) -> None:
    dropped = arm._dropped
    arm._on_gripper(Float64MultiArray(data=data))
    assert arm._dropped == dropped + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera_hz": 0.0},
        {"camera_hz": 60.0},
        {"rate_hz": math.nan},
        {"camera_azimuth_deg": 181.0},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        from_dict(SimArmConfig, wrong)


class Ears:
    """Hears the poses of an arm in a process of its own, and may tell it the time."""

    def __init__(self, context: rclpy.context.Context) -> None:
        self.node = rclpy.create_node("ears", context=context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.poses: list[tuple[float, float]] = []  # stamp (s) and x (m)
        self.node.create_subscription(PoseStamped, SimArmNode.POSE, self._on_pose, qos.SENSOR)
        self.targets = self.node.create_publisher(PoseStamped, SimArmNode.TARGET, qos.COMMAND)
        self.clock = self.node.create_publisher(Clock, "/clock", 10)

    def _on_pose(self, msg: PoseStamped) -> None:
        self.poses.append((convert.stamp_to_s(msg.header.stamp), msg.pose.position.x))

    def send(self, dx_m: float) -> None:
        pose = HOME_POSE + np.array([dx_m, 0.0, 0.0, 0.0, 0.0, 0.0])
        self.targets.publish(convert.pose_to_msg(pose, convert.s_to_stamp(1.0), "base"))

    def until_at(self, dx_m: float) -> float:
        """Sends the target until the arm is there; the stamp of the pose that says so, s."""
        until_s = time.monotonic() + 20.0
        while not self.poses or abs(self.poses[-1][1] - HOME_POSE[0] - dx_m) > 5e-3:
            assert time.monotonic() < until_s, f"the arm did not get to {dx_m}: {self.poses[-1:]}"
            self.send(dx_m)
            self.executor.spin_once(timeout_sec=0.05)
        return self.poses[-1][0]


def test_a_simulated_clock_shows_in_the_stamps_and_moves_and_stops_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "wm_sim.sim_arm_node", "--ros-args", "--disable-external-lib-logs"]
    words += ["-p", "camera_hz:=1.0", "-p", "use_sim_time:=true"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    context = rclpy.context.Context()
    rclpy.init(context=context)
    ears = Ears(context)
    try:
        assert ears.until_at(0.04) == 0.0, "a clock that never started"
        for second, dx_m in ((100, 0.0), (100, 0.04), (50, 0.0)):  # it stands still, and steps back
            until_s = time.monotonic() + 20.0
            while ears.poses[-1][0] != second:
                assert time.monotonic() < until_s, f"the stamps do not follow /clock to {second}"
                ears.clock.publish(Clock(clock=convert.s_to_stamp(float(second))))
                ears.executor.spin_once(timeout_sec=0.05)
            assert ears.until_at(dx_m) == second
        assert "only its stamps follow /clock" in (tmp_path / "log").read_text()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        ears.executor.shutdown()
        ears.node.destroy_node()
        rclpy.shutdown(context=context)
