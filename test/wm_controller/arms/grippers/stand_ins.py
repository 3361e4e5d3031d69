"""Stand-ins for message packages that are not on PyPI, and for the action client that would send their goals."""

from __future__ import annotations

import sys
import time
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from action_msgs.msg import GoalStatus

from wm_ros import goals


class Message(SimpleNamespace):
    """Holds what it is made with, as messages do."""


class Future:
    def __init__(self) -> None:
        self._result, self._callbacks = None, []

    def add_done_callback(self, callback) -> None:
        self._callbacks.append(callback)

    def set(self, result) -> None:
        self._result = result
        for callback in self._callbacks:
            callback(self)

    def result(self):
        return self._result


class Handle:
    def __init__(self) -> None:
        self.accepted, self.cancelled, self.future = True, False, Future()

    def cancel_goal_async(self) -> None:
        self.cancelled = True

    def get_result_async(self) -> Future:
        return self.future


class Client:
    """One goal of an action server, step by step."""

    ready = True
    made: ClassVar[list[Client]] = []

    def __init__(self, node, action, name: str) -> None:
        self.action, self.name, self.goals, self.futures, self.handles = action, name, [], [], []
        Client.made.append(self)

    def server_is_ready(self) -> bool:
        return Client.ready

    def send_goal_async(self, goal) -> Future:
        self.goals.append(goal)
        self.futures.append(Future())
        return self.futures[-1]

    def accept(self, accepted: bool = True) -> Handle:
        """Answer the oldest goal that was not answered."""
        self.handles.append(Handle())
        self.handles[-1].accepted = accepted
        self.futures[len(self.handles) - 1].set(self.handles[-1])
        return self.handles[-1]

    def end(self, status: int = GoalStatus.STATUS_SUCCEEDED, error: str = "") -> None:
        self.handles[-1].future.set(SimpleNamespace(status=status, result=SimpleNamespace(error=error)))


class Clock:
    """The steady clock, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(time, "clock_gettime", lambda _: self.now_s)


def install(monkeypatch: pytest.MonkeyPatch, package: str, actions: dict) -> None:
    """A stand-in for the message package ``package``, whose goals go to :class:`Client`."""
    module = ModuleType(f"{package}.action")
    for action, goal in actions.items():
        setattr(module, action, SimpleNamespace(Goal=goal))
    monkeypatch.setitem(sys.modules, package, ModuleType(package))
    monkeypatch.setitem(sys.modules, f"{package}.action", module)
    monkeypatch.setattr(goals, "ActionClient", Client)
    Client.ready, Client.made = True, []
