"""crisp_arm_node: the simulated cell behind the topics of a Franka that runs CRISP. A test tool that can fail.

What wm_controller sends to a real arm goes to this one unchanged, so that the real back end meets the real quirks
(utiasDSL/crisp_controllers, ``CartesianController`` with the "clipped" preset, and its Franka hand adapter):

- ``target_pose``: the frame id is ignored, quaternions are not normalised, the last target is held for ever, and every
  message is dropped while more than one publisher advertises the topic;
- the target passes a first-order filter, and the error that the impedance law sees is clipped axis by axis, in the axes
  of the tool, so the arm lags and never pushes with more than its clip;
- gripper commands and readings run from 0 closed to 1 open, and a command counts as nothing but "open" or "close";
- poses, wrenches and joints come from franka_robot_state_broadcaster, best effort; the wrench is low-passed, as is
  libfranka's estimate ``O_F_ext_hat_K``: the blow of two rigid bodies in one physics step is not what a robot reports.
  The robot's mode and errors come as JSON on ``robot_state`` (wm_ros/franka_state.py): franka_msgs is not needed.

It fails on demand, in the ways of :mod:`wm_sim.failures`: one by the parameters ``fail.*``, any number by JSON of the
same keys on ``crisp_arm/fail`` (std_msgs/String), for example ``{"kind": "reflex", "after_s": 5.0}``; ``{"kind":
"none"}`` ends them. From a reflex or a user stop only a person brings it back, by the Trigger services
``crisp_arm/error_recovery``, ``crisp_arm/activate_hardware`` and ``crisp_arm/switch_controllers``, in this order.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from rclpy.publisher import Publisher
from rclpy.time import Time as Instant
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from wm_core.config import from_dict
from wm_core.errors import ConfigError
from wm_core.pose import Array
from wm_core.reports import Health, json_object
from wm_core.robot_health import RobotHealth
from wm_ros import convert, qos
from wm_ros.franka_state import health_to_msg
from wm_ros.run import run_node

from .crisp_law import CONTROL_S, CrispLaw, filter_share
from .failures import NONE, RECOVERY, Failure, Failures, Fingers, Wire
from .node_config import CrispArmConfig
from .scene import HOME_POSE, TIMESTEP_S, Measured
from .sim_arm_node import SimArmNode

#: The joint that CRISP's Franka hand adapter reports: the width as a share of 0.08 m.
GRIPPER_JOINT = "gripper_joint"
OPEN_ABOVE = 0.5
JOINT_NAMES = [f"fr3_joint{k}" for k in range(1, 8)]
BROADCASTER = "franka_robot_state_broadcaster"


class CrispArmNode(SimArmNode):
    """See the module."""

    NAME, CONFIG = "crisp_arm", CrispArmConfig
    POSE, WRENCH = f"{BROADCASTER}/current_pose", f"{BROADCASTER}/external_wrench_in_base_frame"
    JOINTS, ROBOT = f"{BROADCASTER}/measured_joint_states", f"{BROADCASTER}/robot_state"
    GRIPPER, GRIPPER_COMMAND = "gripper/joint_states", "gripper/gripper_position_controller/commands"
    TARGET = "target_pose"
    config: CrispArmConfig

    def __init__(self) -> None:
        self._failures = Failures()
        self._fingers = Fingers(self._failures)
        self._wires: dict[Publisher, Wire[Any]] = {}
        self._filtered_wrench = np.zeros(6)
        self._last: Measured | None = None  # what was reported
        super().__init__()
        c = self.config
        self._law = CrispLaw(HOME_POSE, c.lag_s, c.error_clip_m, c.error_clip_rad, self._failures)
        self._joints = self.create_publisher(JointState, self.JOINTS, qos.SENSOR)
        self._robot = self.create_publisher(String, self.ROBOT, qos.SENSOR)
        self.create_subscription(String, "crisp_arm/fail", self._on_fail, qos.COMMAND)
        for step in RECOVERY:
            self.create_service(Trigger, f"crisp_arm/{step}", partial(self._on_recovery, step))
        if c.fail.kind != NONE:
            self._failures.begin(c.fail, time.monotonic())

    # --- failing and being recovered ----------------------------------------------------------------------------------
    def _on_fail(self, msg: String) -> None:
        try:
            failure = from_dict(Failure, json_object(msg.data, "it"), "crisp_arm/fail")
        except ConfigError as error:
            return self.warn(f"crisp_arm/fail: {error}")
        self._failures.begin(failure, time.monotonic())
        self.get_logger().info(f"failure: {failure}")

    def _on_recovery(self, step: str, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = self._failures.robot.recover(step)
        response.success = not response.message
        return response

    # --- what the arm is told -----------------------------------------------------------------------------------------
    def _take_target(self, msg: PoseStamped) -> None:
        p, q = msg.pose.position, msg.pose.orientation
        self._law.aim(np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w]))

    def _take_gripper(self, command: float) -> None:
        self._fingers.command(0.0 if command > OPEN_ABOVE else 1.0, self._scene.state().gripper)

    def _advance(self, duration_s: float) -> None:
        end_s = self._scene.time_s + duration_s
        while (left_s := end_s - self._scene.time_s) > TIMESTEP_S / 2:
            measured = self._scene.state()
            self._scene.set_target(self._law.pull(measured.pose))
            self._scene.set_gripper(self._fingers.drive(CONTROL_S, measured.gripper))
            self._scene.advance(min(left_s, CONTROL_S))
            share = filter_share(self.config.wrench_lag_s)
            self._filtered_wrench += share * (self._scene.wrench() - self._filtered_wrench)

    # --- what the arm says --------------------------------------------------------------------------------------------
    def _tick(self) -> None:
        self._failures.update(time.monotonic())
        self.listen(self._failures.value("controller_gone") is None)
        super()._tick()
        stamp = self._stamp(self.get_clock().now())
        msg = JointState(name=JOINT_NAMES, position=self._measured().joints.tolist())
        msg.header.stamp = stamp
        self._send(self._joints, msg)
        f = self._failures
        report = RobotHealth(convert.stamp_to_s(stamp), f.mode, f.robot.errors, f.success_rate)
        self._send(self._robot, health_to_msg(report))

    def _stamp(self, now: Instant) -> Time:
        """Of a clock that may differ from this machine's."""
        off_s = self._failures.value("clock_off")
        return now.to_msg() if off_s is None else convert.s_to_stamp(max(0.0, 1e-9 * now.nanoseconds + off_s))

    def _send(self, publisher: Publisher, msg: Any) -> None:
        if publisher not in self._wires:
            self._wires[publisher] = Wire(self._failures, publisher.publish, seed=len(self._wires))
        self._wires[publisher].put(msg, time.monotonic())

    def _gripper_msg(self, closed: float, stamp: Time) -> JointState:
        msg = JointState(name=[GRIPPER_JOINT], position=[1.0 - closed], effort=[0.0])
        msg.header.stamp = stamp
        return msg

    def _measured(self) -> Measured:
        if self._last is None or self._failures.value("state_freezes") is None:
            self._last = self._scene.state()
        return self._last

    def _measured_wrench(self) -> Array:
        return self._filtered_wrench + np.append(self._law.push(self._scene.state().pose), np.zeros(3))

    def _health(self) -> Health:
        health = super()._health()
        values = {"failures": ", ".join(self._failures.on), "robot_mode": self._failures.mode}
        return Health(health.ok, health.message, {**health.values, **values})


def main() -> None:
    sys.exit(run_node(CrispArmNode))


if __name__ == "__main__":
    main()
