"""The stand-in for ``ros2 launch``: what it starts lives on when it is killed, and knows whose life it depends on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_bringup.faults import launcher
from wm_core import results

pytestmark = pytest.mark.live

#: Stands for a node: any module that stays will do.
MODULE = "stays"


def test_nodes_outlive_their_launcher(tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text("import time; time.sleep(60)\n")
    nodes = [
        {"name": name, "module": MODULE, "parameters": {"a": 1}, "remappings": [["x", "y"]]}
        for name in ("controller", "planner")
    ]
    results.write_json(tmp_path / launcher.GRAPH, nodes)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    started = subprocess.Popen([sys.executable, "-m", launcher.__name__, str(tmp_path)], env=environment)
    until_s = time.monotonic() + 30.0
    while not (tmp_path / launcher.PIDS).exists() and time.monotonic() < until_s:
        time.sleep(0.02)
    time.sleep(0.1)
    pids = [int(line) for line in (tmp_path / launcher.PIDS).read_text().split()]
    started.send_signal(signal.SIGKILL)
    started.wait()
    try:
        assert len(pids) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    given = {name: (tmp_path / f"{name}.params.yaml").read_text() for name in ("controller", "planner")}
    assert f"launcher_pid: {started.pid}" in given["controller"] and "launcher_pid" not in given["planner"]
