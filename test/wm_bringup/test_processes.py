"""Real processes. A child that ignores every polite signal stands for a node that hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from wm_bringup.graph import NodeSpec
from wm_bringup.processes import Processes
from wm_core.errors import WmError

pytestmark = pytest.mark.live

STUBBORN = (
    "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (2, 15)]; print('up', flush=True); time.sleep(60)"
)
PARENT = """
import sys, time
from pathlib import Path
from wm_bringup.processes import Processes
children = Processes(Path(sys.argv[1]))
children.start("stubborn", [sys.executable, "-c", sys.argv[2]])
print(children._children["stubborn"].pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(true, timeout_s: float = 20.0) -> bool:
    until_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until_s:
        time.sleep(0.02)
    return true()


def test_a_stubborn_child_is_killed(tmp_path: Path) -> None:
    beats: list[bool] = []

    def beat() -> None:
        beats.append(alive(pid))
        time.sleep(0.02)

    with Processes(tmp_path, beat) as children:
        children.start("stubborn", [sys.executable, "-c", STUBBORN])
        pid = children._children["stubborn"].pid
        assert wait_for(lambda: "up" in (tmp_path / "stubborn.log").read_text())
        assert children.ended() is None
    assert not alive(pid)
    assert len(beats) > 10 and all(beats[:-1])  # what must not wait has gone on


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path, STUBBORN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert wait_for(lambda: "up" in (tmp_path / "stubborn.log").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not alive(pid), 2.0)


def test_a_child_that_ends_leaves_no_grandchild(tmp_path: Path) -> None:
    program = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.exit(3)"
    with Processes(tmp_path) as children:
        children.start("parent", [sys.executable, "-c", program])
        assert wait_for(lambda: children.ended() is not None)
        ended = children.ended()
        assert ended is not None and ended.status == 3 and "ended with status 3" in str(ended)
        pid = int((tmp_path / "parent.log").read_text())
        assert wait_for(lambda: not alive(pid), 2.0)


def test_who_died_and_of_what(tmp_path: Path) -> None:
    with Processes(tmp_path) as children:
        children.start("planner", [sys.executable, "-c", "import time; time.sleep(60)"])
        os.kill(children._children["planner"].pid, signal.SIGKILL)
        assert wait_for(lambda: children.ended() is not None)
        assert str(children.ended()) == "planner was killed by SIGKILL"


def test_a_sentence_of_a_child_is_passed_on(tmp_path: Path) -> None:
    program = "import sys; sys.exit(print('encoder_node: the bundle is damaged', file=sys.stderr) or 2)"
    with Processes(tmp_path) as children, pytest.raises(WmError, match="goals cannot run: the bundle is damaged"):
        children.run("goals", [sys.executable, "-c", program], lambda: False)


def test_run_can_be_interrupted(tmp_path: Path) -> None:
    with Processes(tmp_path) as children:
        children.run("long", [sys.executable, "-c", STUBBORN], lambda: True)
        pid = children._children["long"].pid
    assert not alive(pid)


def test_a_node_hears_from_us_what_the_graph_says_to_it(tmp_path: Path) -> None:
    module = tmp_path / "says_node.py"
    module.write_text("import os\nprint(os.environ['WM_GRAPH_PARAMETERS'])\nprint(os.environ['PATH'])\n")
    spec = NodeSpec("says", "says_node", {"config": ["/a: b"], "rate_hz": 3, "use_sim_time": True})
    with pytest.MonkeyPatch.context() as patch, Processes(tmp_path / "log") as children:
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv("WM_GRAPH_PARAMETERS", "{}")  # of a graph around ours
        children.start_node(spec)
        assert wait_for(lambda: children.has_ended("says"))
    said, path = (tmp_path / "log" / "says.log").read_text().splitlines()
    file = yaml.safe_load((tmp_path / "log" / "says.params.yaml").read_text())["/**"]["ros__parameters"]
    assert json.loads(said) == {key: value for key, value in file.items() if key != "use_sim_time"}
    assert set(json.loads(said)) == {"config", "settings"} and path == os.environ["PATH"]
