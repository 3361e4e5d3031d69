"""Goals to action servers of a gripper: one at a time, the newest wins, nothing blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus

#: Longer than any motion of the fingers (0.08 m at 0.05 m/s takes 1.6 s): a goal without an answer for so long is lost.
TIMEOUT_S = 5.0


class Goals:
    """Sends goals through ``rclpy.action.ActionClient`` objects.

    Args:
        now_s: the node's clock.
        preempt: whether the server ends an old goal by itself when a new one comes. Franka's does not: it starts a
            thread for each, so that the next goal waits here until the last one has ended.
    """

    def __init__(self, now_s: Callable[[], float], preempt: bool) -> None:
        self._now_s, self._preempt = now_s, preempt
        self._waiting: tuple[Any, Any] | None = None  # client and goal
        self._flight = 0  # counts goals, so that the answer to an old one is known for what it is
        self._since_s: float | None = None  # when the goal in flight was sent; None: there is none
        self._handle: Any = None
        self._trouble = ""

    def send(self, client: Any, goal: Any) -> None:
        """Send ``goal`` now, or as soon as the last one has ended and the server is there. See :meth:`poll`."""
        self._waiting = client, goal
        self.poll()

    def poll(self) -> None:
        """To be called at each tick: sends what waits."""
        if self._since_s is not None and not 0.0 <= self._now_s() - self._since_s < TIMEOUT_S:
            self._since_s, self._trouble = None, f"the gripper has not ended a motion within {TIMEOUT_S:g} s"
        if self._waiting is None or (self._since_s is not None and not self._preempt):
            return
        client, goal = self._waiting
        if not client.server_is_ready():
            return
        self._waiting, self._handle, self._since_s = None, None, self._now_s()
        self._flight += 1
        flight = self._flight
        client.send_goal_async(goal).add_done_callback(lambda future: self._answered(flight, future))

    def cancel(self) -> bool:
        """Withdraw what waits and end what moves. Whether there was anything."""
        had = self._waiting is not None or self._since_s is not None
        self._waiting = None
        if self._since_s is not None and self._handle is not None:
            self._handle.cancel_goal_async()
        elif self._since_s is not None:
            self._flight = -self._flight  # not accepted yet: cancelled when it is
        return had

    def trouble(self) -> str:
        """Why the last goal did not end well; "" if it did."""
        return self._trouble

    def _answered(self, flight: int, future: Any) -> None:
        handle = future.result()
        if -flight == self._flight:
            self._flight = flight
            if handle.accepted:
                handle.cancel_goal_async()
        if flight != self._flight:
            return
        if not handle.accepted:
            self._since_s, self._trouble = None, "the gripper refused a motion"
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(lambda result: self._ended(flight, result))

    def _ended(self, flight: int, future: Any) -> None:
        if flight != self._flight:
            return
        answer = future.result()
        self._since_s, self._handle = None, None
        well = answer.status in (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED)
        error = getattr(answer.result, "error", "") or "the driver gives no reason"
        self._trouble = "" if well else f"the gripper did not end a motion: {error}"
        self.poll()
