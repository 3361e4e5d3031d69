"""Goals to action servers of a gripper: one at a time, the newest wins, nothing blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action.client import ActionClient
from rclpy.node import Node

from wm_core.errors import quoted

from .clock import steady_s

#: Longer than any motion of the fingers (0.08 m at 0.05 m/s takes 1.6 s): a goal without an answer for so long is lost.
TIMEOUT_S = 5.0
#: Of so many goals that were lost it is remembered that they may still move something.
MOST_LOST = 8


class Action:
    """An action of type ``kind`` at ``topic``, for which ``node`` is a client."""

    def __init__(self, node: Node, kind: Any, topic: str) -> None:
        self.goal, self.topic = kind.Goal, topic
        self.client = ActionClient(node, kind, topic)

    def missing(self, advice: str) -> str:
        """Why nothing happens if there is no server; "" if there is one."""
        return "" if self.client.server_is_ready() else f"there is no action {self.topic}; {advice}"


@dataclass(eq=False)
class _Flight:
    """A goal that was sent and has not ended."""

    since_s: float
    handle: Any = None  # None: not accepted yet
    cancelled: bool = False
    lost: bool = False

    def cancel(self) -> None:
        """End it, if need be as soon as it is accepted."""
        self.cancelled = True
        if self.handle is not None:
            self.handle.cancel_goal_async()


class Goals:
    """Sends goals to the servers of actions.

    Nothing is sent but by :meth:`send` and :meth:`poll`, which are called while the controller runs: a goal that waits
    is not begun in a hold.

    Args:
        preempt: whether the server ends an old goal by itself when a new one comes. Franka's does not: it starts a
            thread for each, so that the next goal waits here until the last one has ended.
    """

    def __init__(self, preempt: bool) -> None:
        self._preempt = preempt
        self._waiting: tuple[Action, Any] | None = None  # and the goal
        self._flights: list[_Flight] = []
        self._trouble = ""

    def send(self, action: Action, goal: Any) -> None:
        """Send ``goal`` now, or as soon as the last one has ended and the server is there. See :meth:`poll`."""
        self._waiting = action, goal
        self.poll()

    def poll(self) -> None:
        """To be called at each tick: sends what waits."""
        now_s = steady_s()
        for flight in self._flights:
            if not flight.lost and now_s - flight.since_s >= TIMEOUT_S:
                flight.lost, self._trouble = True, f"the gripper has not ended a motion within {TIMEOUT_S:g} s"
        busy = not self._preempt and any(not flight.lost for flight in self._flights)
        if self._waiting is None or busy or not self._waiting[0].client.server_is_ready():
            return
        (action, goal), self._waiting = self._waiting, None
        flight = _Flight(now_s)
        self._flights = [*self._flights[-MOST_LOST:], flight]
        action.client.send_goal_async(goal).add_done_callback(lambda future: self._answered(flight, future))

    def forget(self) -> None:
        """Withdraw what waits; what moves goes on."""
        self._waiting = None

    def cancel(self) -> None:
        """Withdraw what waits and end what moves."""
        self.forget()
        for flight in self._flights:
            flight.cancel()

    def trouble(self) -> str:
        """Why the last goal did not end well; "" if it did."""
        return self._trouble

    def _answered(self, flight: _Flight, future: Any) -> None:
        handle = future.result()
        if not handle.accepted:
            return self._end(flight, "the gripper refused a motion")
        flight.handle = handle
        # One that is accepted so late that it was given up would surprise whoever works at the gripper.
        if flight.cancelled or flight.lost:
            flight.cancel()
        handle.get_result_async().add_done_callback(lambda result: self._ended(flight, result))

    def _ended(self, flight: _Flight, future: Any) -> None:
        answer = future.result()
        well = answer.status in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED)
        error = quoted(getattr(answer.result, "error", "") or "the driver gives no reason", 200)[1:-1]
        self._end(flight, "" if well else f"the gripper did not end a motion: {error}")

    def _end(self, flight: _Flight, trouble: str) -> None:
        """What became of the newest goal is told; an older one has nothing to say any more."""
        if self._flights and flight is self._flights[-1]:
            self._trouble = trouble
        self._flights = [other for other in self._flights if other is not flight]
