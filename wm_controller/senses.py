"""What the controller hears of the arm and of who plans: messages to the data of its core, or to a reason to hold."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_core.errors import ConfigError, quoted
from wm_core.pose import Array
from wm_core.robot_health import RobotHealth
from wm_core.topics import plan
from wm_ros import convert, qos
from wm_ros.diagnostics import Rolling
from wm_ros.endpoints import subscribe
from wm_ros.franka_state import RobotState
from wm_ros.measured_arm import ArmJoints, Measured, MeasuredArm
from wm_ros.node import WmNode

from .clocks import Clocks
from .controller import ArmState, Controller, Plan
from .node_config import ControllerNodeConfig

#: So many plans of one tick are judged, the newest ones: more than a stall lets come together, and what a flood costs.
MOST_PLANS = 4


class Senses:
    """Subscribes for ``node``, and tells ``controller``.

    Plans and joints are only put down when they come, and judged at the next tick, when they act. So a flood of them
    costs little, and loses nothing. What is bad among them is not hidden by what is good, in whichever order they came:
    a tick that has heard of both holds.

    Args:
        believed: why a plan that is here now may not be believed, as a sentence; "" if it may.
        measured: called with each good pose ``(6,)`` of the TCP and its time on the steady clock, s.

    Attributes:
        overtaken: plans that newer ones pushed out before their tick.
        plan_age_ms: of the frames that plans were made from, when they are taken.
        taken: of the last plan that was: stamp of its frame, and the tick that took it, both on the ROS clock in s.
    """

    def __init__(
        self,
        node: WmNode[ControllerNodeConfig],
        controller: Controller,
        clocks: Clocks,
        believed: Callable[[list[int | None]], list[str]],
        measured: Callable[[Array, float], object],
    ) -> None:
        self._node, self._controller, self._clocks = node, controller, clocks
        self._believed, self._measured = believed, measured
        # What came since the last tick:
        self._came: deque[tuple[JointTrajectory, int | None]] = deque(maxlen=MOST_PLANS)
        self._joints: tuple[float, Array] | None = None  # stamp and positions
        self._bad: set[str] = set()  # of which source something could not even be read
        self.overtaken, self.plan_age_ms = 0, Rolling()
        self.taken: tuple[float | None, float | None] = None, None
        c, m = node.config, node.config.measured
        plans = plan(c.role)
        self._plans = plans.name
        self._arm = MeasuredArm(node, c.base_frame, self._on_trouble, self._on_state, m, self._on_wrench)
        self._arm_joints = ArmJoints(m.joint_prefix)
        subscribe(node, plans, self._on_plan, numbered=True)
        if c.robot is not None:
            node.create_subscription(JointState, m.joints_topic, self._on_joints, qos.JOINTS)
            self._watch_robot()

    def _watch_robot(self) -> None:
        """Where its messages are installed; where they are not, a person is told, or the start is refused."""
        try:
            m = self._node.config.measured
            RobotState(self._node, m.robot_topic, m.robot_format, self._on_robot)
        except ConfigError as error:
            if "robot" in self._node.config.require:
                raise
            self._node.get_logger().warning(f"not watched: {error}")

    def take(self, now_s: float) -> None:
        """Hand on what has come since the last tick."""
        came, joints, bad = list(self._came), self._joints, self._bad
        self._came.clear()
        self._joints, self._bad = None, set()
        if came and "plan" not in bad:
            self._take_plans(came, now_s)
        if joints is not None and "joints" not in bad:
            self._controller.trouble("joints", "")
            self._controller.on_joints(self._clocks.to_steady(joints[0]), joints[1], now_s)

    def bad_message(self, topic: str, sentence: str) -> None:
        """A message could not be read: holds until a good one of the same kind comes, where safety depends on it."""
        m = self._node.config.measured
        if topic == self._plans:
            self._bad.add("plan")
            self._controller.refuse_plan(sentence)
        if topic == m.joints_topic:
            self._bad.add("joints")
            self._controller.trouble("joints", sentence)
        if topic == m.robot_topic:
            self._controller.trouble("robot", sentence)
        self._arm.bad_message(topic, sentence)
        self._node.warn(sentence)

    # --- messages -----------------------------------------------------------------------------------------------------
    def _on_state(self, m: Measured) -> None:
        now_s = self._clocks.steady_s()
        stamp_s = self._clocks.to_steady(m.stamp_s)
        if refused := self._controller.on_state(ArmState(stamp_s, m.pose, m.gripper), now_s):
            return self._node.warn(refused)
        self._measured(m.pose, stamp_s)

    def _on_wrench(self, stamp_s: float, wrench: Array, unless: str) -> None:
        now_s = self._clocks.steady_s()
        refused = self._controller.on_wrench(self._clocks.to_steady(stamp_s), wrench, now_s, unless)
        if refused and not unless:  # which was told as the trouble that it is
            self._node.warn(refused)

    def _on_trouble(self, source: str, sentence: str) -> None:
        self._controller.trouble(source, sentence)
        if sentence:
            self._node.warn(sentence)

    def _on_joints(self, msg: JointState) -> None:
        if (q := self._arm_joints.read(msg)) is not None:
            if not np.isfinite(q).all():
                raise ValueError("the measured joints are not finite; see what sends them")
            self._joints = convert.stamp_to_s(msg.header.stamp), q

    def _on_robot(self, health: RobotHealth) -> None:
        now_s = self._clocks.steady_s()
        self._controller.trouble("robot", "")
        self._controller.on_robot(dataclasses.replace(health, stamp_s=self._clocks.to_steady(health.stamp_s)), now_s)

    def _on_plan(self, msg: JointTrajectory, number: int | None) -> None:
        self.overtaken += len(self._came) == MOST_PLANS
        self._came.append((msg, number))

    def _take_plans(self, plans: list[tuple[JointTrajectory, int | None]], now_s: float) -> None:
        """Judge them one by one; one that is refused holds until a later tick, even if a good one followed."""
        doubts = self._believed([number for _, number in plans])
        said = [self._take_plan(msg, doubt, now_s) for (msg, _), doubt in zip(plans, doubts, strict=True)]
        refused = next(filter(None, said), "")
        if refused and not said[-1]:
            self._controller.refuse_plan(refused)
        if refused:
            self._node.warn(f"a plan was refused: {refused}")

    def _take_plan(self, msg: JointTrajectory, doubt: str, now_s: float) -> str:
        """Returns why it was refused, or ""."""
        frame, base = msg.header.frame_id, self._node.config.base_frame
        try:
            if doubt:
                raise ValueError(doubt)
            if frame != base:
                raise ValueError(f"plan has the frame id {quoted(frame)}, not '{base}'")
            deltas, period_s = convert.msg_to_plan(msg)
        except ValueError as error:
            return self._controller.refuse_plan(str(error))
        frame_s = convert.stamp_to_s(msg.header.stamp)
        stamp_s = self._clocks.to_steady(frame_s)
        self.plan_age_ms.add(1e3 * (now_s - stamp_s))
        refused = self._controller.on_plan(Plan(stamp_s, period_s, deltas), now_s)
        self.taken = self.taken if refused else (frame_s, self._clocks.to_ros(now_s))
        return refused
