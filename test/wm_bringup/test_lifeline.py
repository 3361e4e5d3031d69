"""What comes while a node still imports its packages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_bringup import lifeline

#: A node whose imports take a while.
NODE = """
import sys, time
print("imports", flush=True)
time.sleep(0.5)
from wm_ros.node import WmNode
from wm_ros.run import run_node

class Node(WmNode):
    def __init__(self):
        super().__init__("late", Config)

    def close(self):
        print("closed", flush=True)

class Config:
    pass

sys.exit(run_node(Node))
"""


@pytest.mark.parametrize("signals", [1, 3])
def test_ctrl_c_while_a_node_imports_its_packages_ends_it_quietly(tmp_path: Path, signals: int) -> None:
    file = tmp_path / "late.py"
    file.write_text(NODE)
    guard = (sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), str(int(signal.SIGKILL)))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [*guard, sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    assert child.stdout is not None and child.stdout.readline() == "imports\n"
    for _ in range(signals):
        child.send_signal(signal.SIGINT)
        time.sleep(0.05)
    out, error = child.communicate(timeout=30.0)
    assert (child.returncode, out, error) == (0, "", "")
