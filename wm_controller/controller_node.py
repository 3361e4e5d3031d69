"""controller_node: ``plan`` and the measured arm to a safe stream of targets; only it publishes the arm's topics."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_core.errors import ConfigError
from wm_core.robot_health import RobotHealth
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Health, Rolling
from wm_ros.franka_state import RobotState
from wm_ros.measured_arm import ArmJoints, Measured, MeasuredArm
from wm_ros.node import WmNode, json_to_msg, run_node
from wm_ros.voices import Voices

from .arms import make_arm
from .controller import ArmState, Command, Controller, Plan
from .inputs import StampClock
from .node_config import ControllerNodeConfig
from .supervisor import LATCHED

#: A reason may hold a number that changes with each tick; it is published no more often than this.
REASON_PERIOD_S = 0.2
#: Two clocks read within this time of each other were read together.
CLOCKS_APART_S = 0.01


class ControllerNode(WmNode[ControllerNodeConfig]):
    """Everything runs in the executor's thread: a tick takes well below a millisecond.

    Plans and joints are only put down when they come; each tick takes the newest. So a flood of them costs no more
    than one per tick, and loses nothing: they act on the next tick anyway.
    """

    def __init__(self) -> None:
        super().__init__("controller", ControllerNodeConfig)
        c = self.config
        self._controller = Controller(c)
        self._arm = make_arm(self, c.base_frame, c.arm, c.limits)
        self._voices = Voices(self)
        for topic in self._arm.outputs():
            self._voices.watch(topic, own=True)
        self._state = self.create_publisher(String, "controller/state", qos.LATCHED)
        self._command = Command(None, None, "", "")
        self._published_s, self._tick_ms, self._plan_age_ms = 0.0, Rolling(), Rolling()
        self._plan: JointTrajectory | None = None
        self._joints: JointState | None = None
        self._overtaken = 0  # plans that a newer one replaced before its tick
        self._stamps = StampClock(
            self.has_parameter("use_sim_time") and self.get_parameter("use_sim_time").value is True
        )
        self._arm_joints = ArmJoints(c.measured.joint_prefix)
        MeasuredArm(self, c.base_frame, self._on_trouble, self._on_state, c.measured)
        self.create_subscription(JointTrajectory, f"{c.role}/plan", self._on_plan, qos.COMMAND)
        self.create_subscription(String, f"{c.role}/status", lambda _: self._heard("planner"), qos.LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS)
        if c.robot is not None:
            self.create_subscription(JointState, c.measured.joints_topic, self._on_joints, qos.SENSOR)
            self._watch_robot()
        self.create_service(Trigger, "start", self._on_start)
        self.create_service(Trigger, "stop", self._on_stop)
        self.create_service(Trigger, "resume", self._on_resume)
        self.create_timer(1.0 / c.rate_hz, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        Diagnostics(self, self._health)

    def _watch_robot(self) -> None:
        """Where its messages are installed; where they are not, a person is told, or the start is refused."""
        try:
            m = self.config.measured
            RobotState(self, m.robot_topic, m.robot_format, self._on_robot)
        except ConfigError as error:
            if "robot" in self.config.require:
                raise
            self.get_logger().warning(f"the robot's own mode and errors are not watched: {error}")

    # --- inputs -------------------------------------------------------------------------------------------------------
    def _on_state(self, m: Measured) -> None:
        now_s = self._steady_s()
        refused = self._controller.on_state(
            ArmState(self._stamps.to_steady(m.stamp_s), m.pose, m.gripper, m.wrench), now_s
        )
        if refused:
            return self.warn(refused)
        self._arm.take_state(m.pose, self._stamps.to_steady(m.stamp_s))

    def _on_trouble(self, source: str, sentence: str) -> None:
        self._controller.trouble(source, sentence)
        if sentence:
            self.warn(sentence)

    def _on_joints(self, msg: JointState) -> None:
        self._joints = msg

    def _on_robot(self, health: RobotHealth) -> None:
        now_s = self._steady_s()
        health = dataclasses.replace(health, stamp_s=self._stamps.to_steady(health.stamp_s))
        self._controller.on_robot(health, now_s)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        ours = self.get_namespace().strip("/")
        for status in msg.status:
            namespace, _, name = status.name.rpartition("/")
            if namespace == ours:
                self._heard(name)

    def _heard(self, node: str) -> None:
        self._controller.on_heartbeat(node, self._steady_s())

    def _on_plan(self, msg: JointTrajectory) -> None:
        self._overtaken += self._plan is not None
        self._plan = msg

    def _take_plan(self, msg: JointTrajectory, now_s: float) -> None:
        stamp_s = self._stamps.to_steady(convert.stamp_to_s(msg.header.stamp))
        if msg.header.frame_id != self.config.base_frame:
            refused = f"plan has the frame id '{msg.header.frame_id}', not '{self.config.base_frame}'"
            self._controller.refuse_plan(refused)
        else:
            try:
                deltas, period_s = convert.msg_to_plan(msg)
            except ValueError as error:
                refused = self._controller.refuse_plan(str(error))
            else:
                refused = self._controller.on_plan(Plan(stamp_s, period_s, deltas), now_s)
                self._plan_age_ms.add(1e3 * (now_s - stamp_s))
        if refused:
            self.warn(f"a plan was refused: {refused}")

    # --- operator -----------------------------------------------------------------------------------------------------
    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._answer("started", self._controller.start, response)

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, self._controller.stop(self._steady_s())
        self._tick()
        return response

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._answer("resumed", self._controller.resume, response)

    def _answer(self, done: str, act: Callable[[float], str], response: Trigger.Response) -> Trigger.Response:
        rival = self._voices.rival(at_once=True)
        response.message = f"not {done}: {rival}" if rival else act(self._steady_s())
        response.success = not response.message.startswith("not ")
        self._tick()  # so that the state is known before the answer is
        return response

    def _steady_s(self) -> float:
        """The steady time, at which the ROS clock was looked at as well."""
        for _ in range(5):  # read together: the process may be suspended between any two lines
            before_s, ros_s = time.monotonic(), self.now_s()
            if time.monotonic() - before_s < CLOCKS_APART_S:
                break
        self._controller.trouble("clock", self._stamps.observe(ros_s, before_s))
        return before_s

    # --- tick ---------------------------------------------------------------------------------------------------------
    def _tick(self) -> None:
        start = time.perf_counter()
        now_s = self._steady_s()
        plan, joints, self._plan, self._joints = self._plan, self._joints, None, None
        if plan is not None:
            self._take_plan(plan, now_s)
        if joints is not None and (q := self._arm_joints.read(joints)) is not None:
            self._controller.on_joints(self._stamps.to_steady(convert.stamp_to_s(joints.header.stamp)), q, now_s)
        command = self._controller.tick(now_s)
        holding = command.mode != "running"
        if command.pose is not None:
            self._arm.send_pose(command.pose, now_s, self._stamps.to_ros(now_s), holding)
        if command.gripper is not None:
            self._arm.send_gripper(command.gripper)
        other_mode, other_reason = command.mode != self._command.mode, command.reason != self._command.reason
        if other_mode and command.mode in LATCHED:
            self._arm.stop()
        if other_mode or (other_reason and abs(now_s - self._published_s) >= REASON_PERIOD_S):
            report = {"mode": command.mode, "reason": command.reason, "stamp_s": self._stamps.to_ros(now_s)}
            self._state.publish(json_to_msg({**report, "run": self._controller.run}))
            self._published_s, self._command = now_s, command
        self._tick_ms.add(1e3 * (time.perf_counter() - start))

    def _health(self) -> Health:
        if rival := self._voices.rival(at_once=True):
            self._controller.stop(self._steady_s(), rival)
        status = self._controller.status(self._steady_s())
        values = {key: value for key, value in dataclasses.asdict(status).items() if key != "clipped"}
        values |= {f"clipped.{limit}": count for limit, count in status.clipped.items()}
        values |= {"overtaken_plans": self._overtaken, "arm": self._arm.state()}
        values |= {"rate_hz": self._tick_ms.rate_hz(), **self._tick_ms.summary("tick")}
        values |= self._plan_age_ms.summary("frame_to_controller")
        return Health(status.mode in ("idle", "running"), status.reason, values)


def main() -> None:
    sys.exit(run_node(ControllerNode))


if __name__ == "__main__":
    main()
