"""controller_node: plans and the measured arm to a safe stream of targets; only it publishes the arm's topics."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable

from rclpy.duration import Duration
from std_msgs.msg import String
from std_srvs.srv import Trigger

from wm_core.reports import LATCHED, ControllerState, Health, Mode
from wm_core.topics import RESUME, START, STATE, STOP
from wm_ros.diagnostics import Diagnostics, Rolling
from wm_ros.endpoints import publisher
from wm_ros.node import WmNode, report_to_msg
from wm_ros.run import run_node

from .briefing import Readiness, briefing
from .clocks import Clocks
from .controller import Controller
from .node_config import ControllerNodeConfig
from .peers import Peers
from .senses import Senses
from .supervisor import START_ANEW

#: A reason may hold a number that changes with each tick; it is published no more often than this.
REASON_PERIOD_S = 0.2
#: How often it is seen whether a start would do.
READY_PERIOD_S = 0.5
#: What has not changed is said again, so that who hears nothing knows that the controller is gone.
STATE_PERIOD_S = 0.5
#: How long the last words on each topic are waited for when the node ends; one message takes a millisecond or two.
DELIVERY_S = 0.1


class ControllerNode(WmNode[ControllerNodeConfig]):
    """Ticks the core and sends what it commands. Senses and peers tell the core what they hear.

    Everything runs in the executor's thread: a tick takes well below a millisecond.
    """

    def __init__(self) -> None:
        super().__init__("controller", ControllerNodeConfig)
        c = self.config
        self._controller = Controller(c, moves=c.arm.moves)
        self._clocks = Clocks(self, self._controller)
        self._arm = c.arm.make(self, c.base_frame, c.limits)
        self._state = publisher(self, STATE)
        self._mode: Mode | None = None
        self._reason, self._since_s, self._shown_s = "", 0.0, 0.0  # as last published, ...
        self._taken: tuple[float | None, float | None] = None, None
        self._report = String()  # ... word for word
        self._tick_ms = Rolling()
        # Calls that wait are served in the order in which the services were made, also those of a suspended process.
        for name, answer in ((STOP, self._on_stop), (START, self._on_start), (RESUME, self._on_resume)):
            self.create_service(Trigger, name, answer)
        self._outputs = (*c.arm.outputs().values(), STATE.name)
        self._peers = Peers(self, self._controller, self._outputs, self._clocks.steady_s)
        self._senses = Senses(self, self._controller, self._clocks, self._peers.plan_troubles, self._arm.take_state)
        self.create_timer(1.0 / c.rate_hz, self._tick)
        Diagnostics(self, self._health)
        self._readiness = Readiness(self.resolve_service_name(START))
        self.create_timer(READY_PERIOD_S, self._say_readiness)
        self.get_logger().info(briefing(self, self._peers.launcher.pid))

    def bad_message(self, topic: str, sentence: str) -> None:
        self._senses.bad_message(topic, sentence)

    # --- operator -----------------------------------------------------------------------------------------------------
    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._answer(self._controller.start, response)
        if response.success:
            self._peers.begin()
        return response

    def _on_resume(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._answer(self._controller.resume, response)

    def _answer(self, act: Callable[[float, str], str], response: Trigger.Response) -> Trigger.Response:
        now_s = self._clocks.steady_s()
        response.message = act(now_s, self._peers.trouble())
        response.success = not response.message.startswith("not ")
        if response.success:
            self._arm.forget_gripper()
        self._show_now(now_s)  # so that the state is known before the answer is; the targets keep their rate
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, self._stop("stopped by the operator")
        return response

    def _stop(self, reason: str) -> str:
        now_s = self._clocks.steady_s()
        said = self._controller.stop(now_s, reason)
        self._show_now(now_s)
        return said

    # --- ends ---------------------------------------------------------------------------------------------------------
    def suspended(self) -> None:
        self._stop("suspended (Ctrl-Z)")
        self._deliver()

    def close(self) -> None:
        """The last words: an arm that follows twists goes on at the last one until its driver gives up."""
        try:
            if self._mode != Mode.IDLE:
                self._stop(f"the controller was ended; {START_ANEW}")
        finally:
            self._arm.stop()
            self._deliver()

    def _deliver(self) -> None:
        ours = [self.resolve_topic_name(topic) for topic in self._outputs]
        for out in self.publishers:
            if out.topic_name in ours:
                with contextlib.suppress(Exception):  # nothing may keep the next one from being waited for
                    out.wait_for_all_acked(Duration(seconds=DELIVERY_S))

    # --- tick ---------------------------------------------------------------------------------------------------------
    def _tick(self) -> None:
        start = time.perf_counter()
        now_s = self._clocks.tick_s()
        self._senses.take(now_s)
        command = self._controller.tick(now_s)
        if command.pose is not None:
            self._arm.send_pose(command.pose, now_s, self._clocks.to_ros(now_s), command.mode != Mode.RUNNING)
        else:
            self._arm.rest(now_s)
        if command.gripper is not None:
            self._arm.send_gripper(command.gripper)
        self._show(command.mode, command.reason, now_s)
        self._tick_ms.add(1e3 * (time.perf_counter() - start))

    def _show_now(self, now_s: float) -> None:
        status = self._controller.status(now_s)
        self._show(status.mode, status.reason, now_s)

    def _show(self, mode: Mode, reason: str, now_s: float) -> None:
        """Publish mode, reason and the last plan taken if they are others, or as they were.

        A latched mode is told to the arm itself.
        """
        other, news = mode != self._mode, (reason, self._senses.taken) != (self._reason, self._taken)
        if other and mode in LATCHED:
            self._arm.stop(at_once=mode == Mode.STOPPED)  # in a fault the targets still brake
        since_s = now_s - self._shown_s
        if other or (news and since_s >= REASON_PERIOD_S):
            if other or reason != self._reason:
                self._since_s = self._clocks.to_ros(now_s)
            self._mode, self._reason, self._taken = mode, reason, self._senses.taken
            self._report = report_to_msg(
                ControllerState(mode, reason, self._since_s, self._controller.run, *self._taken)
            )
            if other:
                self.get_logger().info(f"{mode}: {reason}" if reason else mode)
        elif since_s < STATE_PERIOD_S:
            return
        self._shown_s = now_s
        self._state.publish(self._report)

    def _say_readiness(self) -> None:
        now_s = self._clocks.steady_s()
        if said := self._readiness.say(now_s, self._mode == Mode.IDLE, self._controller.unready(now_s)):
            self.get_logger().info(said)

    def _health(self) -> Health:
        status = self._controller.status(self._clocks.steady_s())
        values = {key: value for key, value in dataclasses.asdict(status).items() if key != "clipped"}
        values |= {f"clipped.{limit}": count for limit, count in status.clipped.items()}
        values |= {"overtaken_plans": self._senses.overtaken, "arm": self._arm.state()}
        values |= {"rate_hz": self._tick_ms.rate_hz(), **self._tick_ms.summary("tick")}
        values |= self._senses.plan_age_ms.summary("frame_to_controller")
        return Health(status.mode in (Mode.IDLE, Mode.RUNNING), status.reason, values)


def main() -> None:
    sys.exit(run_node(ControllerNode))


if __name__ == "__main__":
    main()
