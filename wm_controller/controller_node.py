"""controller_node: ``plan`` and the measured arm to a safe stream of targets; only it publishes the arm's topics."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Health, Rolling
from wm_ros.measured_arm import Measured, MeasuredArm
from wm_ros.node import WmNode, json_to_msg, run_node

from .arms.base import Arm
from .arms.pose_stream import PoseStream, PoseStreamConfig
from .controller import ArmState, Command, Controller, ControllerConfig, Plan

#: A reason may hold a number that changes with each tick; it is published no more often than this.
REASON_PERIOD_S = 0.2


@dataclass(frozen=True)
class ControllerNodeConfig(ControllerConfig):
    """Parameters of controller_node: those of the core, and the arm's topics."""

    arm: PoseStreamConfig = field(default_factory=PoseStreamConfig)


class ControllerNode(WmNode[ControllerNodeConfig]):
    """Everything runs in the executor's thread: a tick takes well below a millisecond."""

    def __init__(self) -> None:
        super().__init__("controller", ControllerNodeConfig)
        c = self.config
        self._controller = Controller(c)
        self._arm: Arm = PoseStream(self, c.base_frame, c.arm)
        self._state = self.create_publisher(String, "controller/state", qos.LATCHED)
        self._command = Command(None, None, "", "")
        self._published_s = 0.0
        self._tick_ms, self._plan_age_ms = Rolling(), Rolling()
        MeasuredArm(self, c.base_frame, self._refuse_state, self._on_state)
        self.create_subscription(JointTrajectory, "plan", self._on_plan, qos.COMMAND)
        self.create_service(Trigger, "start", self._on_start)
        self.create_service(Trigger, "stop", self._on_stop)
        self.create_service(Trigger, "resume", self._answer(self._controller.resume))
        self.create_timer(1.0 / c.rate_hz, self._tick)
        Diagnostics(self, self._health)

    def _on_state(self, m: Measured) -> None:
        self._controller.on_state(ArmState(m.stamp_s, m.pose, m.gripper, m.wrench), self.now_s())

    def _refuse_state(self, sentence: str) -> None:
        self._controller.refuse_state(sentence)
        self.warn(sentence)

    def _on_plan(self, msg: JointTrajectory) -> None:
        now_s, stamp_s = self.now_s(), convert.stamp_to_s(msg.header.stamp)
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

    def _rival(self) -> str:
        """Why nobody may move the arm now: CRISP drops every target while two nodes advertise the topic."""
        topic = self.config.arm.pose_topic
        return f"another node publishes {topic}; end it" if self.count_publishers(topic) > 1 else ""

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if rival := self._rival():
            response.success, response.message = False, f"not started: {rival}"
            return response
        return self._answer(self._controller.start)(_, response)

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, self._controller.stop(self.now_s())
        self._arm.stop()
        self._tick()
        return response

    def _answer(self, act: Callable[[float], str]) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        def serve(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.message = act(self.now_s())
            response.success = not response.message.startswith("not ")
            self._tick()  # so that the state is known before the answer is
            return response

        return serve

    def _tick(self) -> None:
        start = time.perf_counter()
        now_s = self.now_s()
        command = self._controller.tick(now_s)
        if command.pose is not None:
            self._arm.send_pose(command.pose, now_s)
        if command.gripper is not None:
            self._arm.send_gripper(command.gripper)
        same_mode, same_reason = command.mode == self._command.mode, command.reason == self._command.reason
        if not same_mode or (not same_reason and abs(now_s - self._published_s) >= REASON_PERIOD_S):
            self._state.publish(json_to_msg({"mode": command.mode, "reason": command.reason, "stamp_s": now_s}))
            self._published_s, self._command = now_s, command
        self._tick_ms.add(1e3 * (time.perf_counter() - start))

    def _health(self) -> Health:
        if rival := self._rival():
            self._controller.stop(self.now_s(), rival)
        status = self._controller.status(self.now_s())
        values = {key: value for key, value in dataclasses.asdict(status).items() if key != "clipped"}
        values |= {f"clipped.{limit}": count for limit, count in status.clipped.items()}
        values |= {"rate_hz": self._tick_ms.rate_hz(), **self._tick_ms.summary("tick")}
        values |= self._plan_age_ms.summary("frame_to_controller")
        return Health(status.mode in ("idle", "running"), status.reason, values)


def main() -> None:
    sys.exit(run_node(ControllerNode))


if __name__ == "__main__":
    main()
