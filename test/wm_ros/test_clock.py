"""The clock of the nodes counts what a machine sleeps, and there is no other."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

import wm_controller
import wm_perception
import wm_planner
import wm_ros
from wm_ros.clock import steady_s

PACKAGES = (wm_controller, wm_perception, wm_planner, wm_ros)


def test_it_goes_on_and_never_back() -> None:
    times = [steady_s() for _ in range(100)]
    assert times == sorted(times)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux alone tells the two clocks apart")
def test_a_suspend_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before_s, read = steady_s(), time.clock_gettime
    slept = {time.CLOCK_BOOTTIME: 3600.0, time.CLOCK_REALTIME: 3600.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: read(clock) + slept.get(clock, 0.0))
    assert steady_s() - before_s >= 3600.0


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_no_node_reads_a_clock_that_stands_still_in_a_suspend(package: object) -> None:
    (folder,) = package.__path__  # type: ignore[attr-defined]
    for file in Path(folder).rglob("*.py"):
        assert not re.search(r"\bmonotonic(_ns)?\b", file.read_text()), f"{file}: use wm_ros.clock.steady_s"
