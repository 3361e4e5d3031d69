"""The one way to wait and the one way to call, without a graph."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from wm_bringup.live_run import LiveRun, never
from wm_core.errors import WmError


class Client:
    """Its server is there after so many spins; what it answers is for a test to say."""

    def __init__(self, run: Run, ready_after: int, answer: Any) -> None:
        self._run, self._ready_after, self._answer = run, ready_after, answer
        self.asked: int | None = None

    def service_is_ready(self) -> bool:
        return self._run.spins >= self._ready_after

    def done(self) -> bool:
        return self._answer is not None and self.asked is not None and self._run.spins > self.asked

    def result(self) -> Any:
        return self._answer


class Run(LiveRun):
    """Counts its spins, each of which takes no time."""

    def __init__(self, ready_after: int = 0, success: bool | None = True) -> None:
        self.spins, self.ended, self.gone = 0, False, False
        answer = None if success is None else SimpleNamespace(success=success, message="so and so")
        self._client = Client(self, ready_after, answer)
        self.monitor = SimpleNamespace(client=lambda service: self._client, call=self._call)  # type: ignore[assignment]
        self.processes = SimpleNamespace(has_ended=lambda name: self.gone)  # type: ignore[assignment]

    def _call(self, service: str) -> Client:
        self._client.asked = self.spins
        return self._client

    def spin(self, timeout_s: float = 0.0) -> None:
        self.spins += 1

    def over(self) -> bool:
        return self.ended


def test_a_wait_ends_when_it_is_true_and_looks_meanwhile() -> None:
    run, looks = Run(), []
    assert run.wait(lambda: run.spins == 3, 60.0, meanwhile=lambda: looks.append(run.spins))
    assert looks == [1, 2]


def test_a_wait_ends_with_its_time_or_with_the_run() -> None:
    run = Run()
    assert not run.wait(never, 0.01) and run.spins > 0
    assert not run.wait(never, 60.0, unless=lambda: run.spins > 0)
    run.ended = True
    spins = run.spins
    assert not run.wait(lambda: True, 60.0) and run.spins == spins, "nothing is done in a run that is over"


def test_a_call_waits_for_its_server_and_returns_the_answer() -> None:
    assert Run(ready_after=4).call("resume") == "so and so"


def test_a_call_is_heard_although_the_run_is_over() -> None:
    """The stop at its end is such a one."""
    run = Run()
    run.ended = True
    assert run.call("stop") == "so and so"


def test_a_call_that_is_refused_or_cannot_be_answered_says_so() -> None:
    with pytest.raises(WmError, match="'start' was refused: so and so"):
        Run(success=False).call("start")
    run = Run(success=None)
    run.gone = True
    with pytest.raises(WmError, match="'stop' was not answered"):
        run.call("stop")
