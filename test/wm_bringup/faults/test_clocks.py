"""The clock of a process is set while its steady clock goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_bringup.faults import clocks
from wm_bringup.faults.inject import NotHere, Site

pytestmark = pytest.mark.live

PROGRAM = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"


class Asked:
    """A process that tells its clocks when it is asked."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def clocks(self) -> tuple[float, float]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        wall, steady = self._process.stdout.readline().split()
        return float(wall), float(steady)

    def end(self) -> None:
        self._process.communicate()


@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("seconds", [-10.0, 10.0])
def test_a_clock_is_set_and_set_back(tmp_path: Path, seconds: float) -> None:
    fault = clocks.SetClock(seconds)
    asked = Asked(fault.environment(tmp_path))
    site = Site({}, None, [], None, tmp_path, 0, None, str, int, lambda true, timeout_s: True)  # type: ignore[arg-type]
    try:
        for act, expected_s in ((None, 0.0), (fault.begin, seconds), (fault.end, 0.0)):
            if act is not None:
                act(site)
            wall_s, steady_s = asked.clocks()
            assert abs(wall_s - time.time() - expected_s) < 5.0, "it is set by ten"
            assert 0.0 <= time.monotonic() - steady_s < 5.0, "the steady clock is left alone"
    finally:
        asked.end()


def test_without_a_compiler_the_fault_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotHere, match="needs gcc"):
        clocks.SetClock(1.0).environment(tmp_path)
    (tmp_path / "gcc").write_text("#!/bin/sh\necho 'no such thing' >&2; exit 1\n")
    (tmp_path / "gcc").chmod(0o755)
    with pytest.raises(NotHere, match="needs a gcc that works; it said: no such thing"):
        clocks.SetClock(1.0).environment(tmp_path)
