"""What is known of child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from wm_bringup import proc


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    words = [sys.executable, "-c", "input()", "-r", "__node:=some (odd) name"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_node_is_found_by_its_name(child: subprocess.Popen) -> None:
    assert child.pid in proc.children(os.getpid())
    assert proc.nodes(os.getpid())["some (odd) name"] == child.pid
    memory_mb = proc.rss_mb(child.pid)
    assert memory_mb is not None and 0.1 < memory_mb < 500.0


def test_nothing_is_left_in_a_session_that_ended(child: subprocess.Popen) -> None:
    assert proc.in_sessions([child.pid]) == [child.pid]
    child.kill()
    child.wait()
    assert proc.in_sessions([child.pid]) == []
    assert proc.rss_mb(child.pid) is None and child.pid not in proc.children(os.getpid())
