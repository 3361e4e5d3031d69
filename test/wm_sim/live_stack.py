"""The stand-in and the real controller_node in processes of their own, and a planner that drives the TCP to places."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_controller.monitor import EnvelopeMonitor
from wm_core.limits import Limits
from wm_core.pose import Array
from wm_ros import convert, qos
from wm_sim.crisp_arm_node import CrispArmNode
from wm_sim.failures import RECOVERY

PRESET = Path(__file__).parents[2] / "config" / "arms" / "fr3_crisp.yaml"
#: The stand-in reports its mode as JSON; all else is the preset of the real arm.
CONTROLLER = ("-p", f"config:={PRESET}", "-p", "measured.robot_format:=json")


class Planner(Node):
    """Drives the TCP to a place by plans, and listens to everything that the two nodes say."""

    def __init__(self, context: rclpy.context.Context) -> None:
        super().__init__("planner", context=context)
        self.executor_ = rclpy.executors.SingleThreadedExecutor(context=context)
        self.executor_.add_node(self)
        self.pose = None
        self.closed = self.force_n = self.joints = None
        self.state: dict = {}
        self.envelope = EnvelopeMonitor(Limits())
        self.targets = 0
        self._plans = self.create_publisher(JointTrajectory, "planner/plan", qos.COMMAND)
        self.create_subscription(PoseStamped, "franka_robot_state_broadcaster/current_pose", self._on_pose, qos.SENSOR)
        wrench = "franka_robot_state_broadcaster/external_wrench_in_base_frame"
        self.create_subscription(WrenchStamped, wrench, self._on_wrench, qos.SENSOR)
        self.create_subscription(JointState, CrispArmNode.JOINTS, self._on_joints, qos.SENSOR)
        self.create_subscription(JointState, "gripper/joint_states", self._on_gripper, qos.SENSOR)
        self.create_subscription(String, "controller/state", self._on_state, qos.LATCHED)
        self.create_subscription(PoseStamped, "target_pose", self._on_target, 50)
        self._fails = self.create_publisher(String, "crisp_arm/fail", qos.COMMAND)
        names = "start", "stop", "resume", *(f"crisp_arm/{step}" for step in RECOVERY)
        self.triggers = {name: self.create_client(Trigger, name) for name in names}
        self.states: list[tuple[str, str]] = []  # mode and reason, as they came
        self.path: list[tuple[float, Array]] = []  # targets: when they came (steady s), and where (m)
        self._home_m: Array | None = None
        self._side, self._next_s = 1.0, 0.0

    def _on_pose(self, msg: PoseStamped) -> None:
        self.pose = convert.msg_to_pose(msg)

    def _on_wrench(self, msg: WrenchStamped) -> None:
        self.force_n = float(np.linalg.norm(convert.msg_to_wrench(msg)[:3]))

    def _on_joints(self, msg: JointState) -> None:
        self.joints = dict(zip(msg.name, msg.position, strict=True))

    def _on_gripper(self, msg: JointState) -> None:
        self.closed = 1.0 - msg.position[0]

    def _on_state(self, msg: String) -> None:
        self.state = json.loads(msg.data)
        self.states.append((self.state["mode"], self.state["reason"]))

    def _on_target(self, msg: PoseStamped) -> None:
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        if stamp_s > 0.0:  # what the rival of this test sends is stamped 0
            self.targets += 1
            self.path.append((time.monotonic(), convert.msg_to_pose(msg)[:3]))
            self.envelope.check(stamp_s, convert.msg_to_pose(msg))

    def spin_until(self, done: Callable[[], bool], timeout_s: float, what: str) -> None:
        until_s = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < until_s, f"{what}; the controller is {self.state}, the TCP at {self.pose}"
            self.executor_.spin_once(timeout_sec=0.05)

    def ask(self, service: str) -> Trigger.Response:
        self.spin_until(self.triggers[service].service_is_ready, 20.0, f"no service {service}")
        future = self.triggers[service].call_async(Trigger.Request())
        self.spin_until(future.done, 5.0, f"no answer to {service}")
        return future.result()

    def resume(self) -> None:
        """As a person does: not at once after a stop, and again where the controller still sees a reason."""
        wait_s = RESUME_QUIET_S
        for _ in range(5):
            self.wait(wait_s + 0.2)
            if (answer := self.ask("resume")).success:
                return
            wait_s = RESUME_SILENCE_S if "call resume once" in answer.message else RESUME_QUIET_S
        raise AssertionError(answer.message)

    def wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.executor_.spin_once(timeout_sec=0.02)

    def step(self, goal_m: Array, gripper: float) -> None:
        """Send a plan of one step of at most 2 cm towards a place."""
        way = goal_m - self.pose[:3]
        step = way * min(1.0, 0.02 / max(float(np.linalg.norm(way)), 1e-9))
        deltas = np.array([[*step, 0.0, 0.0, 0.0, gripper]])
        self._plans.publish(convert.plan_to_msg(deltas, 0.3, self.get_clock().now().to_msg(), "base"))

    def broken(self) -> dict[str, int]:
        """Violations of the envelope by what was sent. Changes of speed are judged where time is simulated: here a
        clock that is read late moves a stamp by some of a tick."""
        return {kind: n for kind, n in self.envelope.counts.items() if n and "accel" not in kind and "jerk" not in kind}

    def go(self, goal_m: Array, gripper: float = 0.0) -> None:
        """Plan four times a second, until the TCP is within 3 mm."""

        def there() -> bool:
            self._paced(lambda: self.step(goal_m, gripper))
            return bool(np.linalg.norm(goal_m - self.pose[:3]) < 3e-3)

        self.spin_until(there, 20.0, f"{goal_m} was not reached")

    def sway(self, seconds: float, done: Callable[[], bool] = lambda: False, gripper: float = 0.0) -> bool:
        """Plan to and fro along y, 8 cm to each side, for so long or until something is done; whether it was.

        ``gripper`` is by how much each step closes it.
        """
        home_m = self._home_m = self.pose[:3].copy() if self._home_m is None else self._home_m

        def plan() -> None:
            if self._side * (self.pose[1] - home_m[1]) > 0.06:
                self._side = -self._side
            self.step(home_m + [0.0, 0.08 * self._side, 0.0], gripper)

        until_s = time.monotonic() + seconds
        while not done() and time.monotonic() < until_s:
            self._paced(plan)
            self.executor_.spin_once(timeout_sec=0.02)
        return done()

    def _paced(self, plan: Callable[[], None]) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + 0.25
            plan()

    def travel_m(self, seconds: float) -> float:
        """How far the targets have gone lately."""
        since_s = time.monotonic() - seconds
        places = np.array([place for came_s, place in self.path if came_s >= since_s])
        return float(np.linalg.norm(np.ptp(places, axis=0))) if len(places) else 0.0

    def fail(self, **failure: object) -> None:
        """Tell the stand-in how to fail; see wm_sim/failures.py."""
        self._fails.publish(String(data=json.dumps(failure)))


@contextlib.contextmanager
def live_stack(folder: Path, controller: tuple[str, ...] = ()) -> Iterator[Planner]:
    """crisp_arm_node and controller_node as a lab runs them; ``controller``: further ROS arguments of the latter."""
    commands = {
        "arm": ["wm_sim.crisp_arm_node", "-p", "camera_hz:=1.0"],
        "controller": ["wm_controller.controller_node", *CONTROLLER, *controller],
    }
    running = []
    for name, (module, *parameters) in commands.items():
        with open(folder / f"{name}.log", "wb") as log:
            words = [sys.executable, "-m", module, "--ros-args", "--disable-external-lib-logs", *parameters]
            running.append(subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True))
    context = rclpy.context.Context()
    rclpy.init(context=context)
    planner = Planner(context)
    try:
        planner.spin_until(lambda: planner.pose is not None and bool(planner.state), 30.0, "the nodes do not come up")
        yield planner
    finally:
        planner.executor_.shutdown()
        planner.destroy_node()
        rclpy.shutdown(context=context)
        for process in running:  # asked first: one that is killed stays in the graph for a while, as a second voice
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10.0)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
