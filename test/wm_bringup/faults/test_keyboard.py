"""A terminal that is one: its keys are signals, and its end is one, too."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wm_bringup.faults.keyboard import Keyboard

pytestmark = pytest.mark.live

#: Says that it is up for as long as it can, and how it was ended.
PROGRAM = """
import signal, sys, time
ended = []
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: ended.append(number))
print("up " + "x" * 20000, flush=True)  # more than a terminal holds
while not ended:
    time.sleep(0.01)
open(sys.argv[1], "w").write(signal.Signals(ended[0]).name)
"""


def wait_for(true: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    until_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until_s:
        time.sleep(0.02)
    return true()


@pytest.fixture
def started(tmp_path: Path) -> tuple[Keyboard, subprocess.Popen[bytes]]:
    keyboard = Keyboard(tmp_path / "log")
    command = keyboard.command([sys.executable, "-c", PROGRAM, str(tmp_path / "said")])
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    assert wait_for(lambda: (tmp_path / "log").read_bytes().count(b"x") == 20000), "it is read, so nobody waits"
    return keyboard, process


def test_a_key_is_a_signal(started: tuple[Keyboard, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    keyboard, process = started
    keyboard.press(b"\x03")
    assert process.wait(20.0) == 0 and (tmp_path / "said").read_text() == "SIGINT"
    keyboard.close()


def test_ctrl_z_suspends(started: tuple[Keyboard, subprocess.Popen[bytes]]) -> None:
    keyboard, process = started
    stat = Path(f"/proc/{process.pid}/stat")
    keyboard.press(b"\x1a")
    # A group without a shell above it cannot be suspended by its terminal: whoever wants to be has to do it itself.
    assert not wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 0.3)
    process.kill()
    process.wait()
    keyboard.close()
    keyboard.close()  # once more is harmless


def test_a_closed_window_hangs_up(started: tuple[Keyboard, subprocess.Popen[bytes]], tmp_path: Path) -> None:
    keyboard, process = started
    keyboard.close()
    assert process.wait(20.0) == 0 and (tmp_path / "said").read_text() == signal.SIGHUP.name
