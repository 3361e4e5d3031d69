"""Wishes by signal, and a terminal that goes away. Each in a process of its own, as signals and files are global."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wm_bringup.terminal import LiveLine, complain, say

pytestmark = pytest.mark.live

LOOP = """
import sys, time
from wm_bringup.terminal import Interrupts, LiveLine, status_of
line = LiveLine()
with Interrupts() as interrupted:
    def around(suspend):
        line.end("resting")
        suspend()
        line.end("back")
    interrupted.around_suspend = around
    line.end("up")
    until_s = time.monotonic() + 60.0
    while not interrupted() and time.monotonic() < until_s:
        line.show("beat", time.monotonic())
        time.sleep(0.01)
    open(sys.argv[1], "w").write("ended in order")
    sys.exit(status_of(interrupted))
"""


class Loop:
    def __init__(self, folder: Path, out: int) -> None:
        self.record = folder / "record"
        self.process = subprocess.Popen([sys.executable, "-c", LOOP, self.record], stdout=out, stderr=out)

    def state(self) -> str:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_for(true: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    until_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until_s:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)]
)
def test_each_signal_ends_in_order_and_has_its_status(tmp_path: Path, number: int, status: int) -> None:
    log = tmp_path / "log"
    with open(log, "wb") as out:
        loop = Loop(tmp_path, out.fileno())
    assert wait_for(lambda: b"up" in log.read_bytes())
    loop.process.send_signal(number)
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.wait(20.0) == status, "the first one counts"
    assert loop.record.read_text() == "ended in order"


def test_ctrl_z_rests_first_and_comes_back(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with open(log, "wb") as out:
        loop = Loop(tmp_path, out.fileno())
    assert wait_for(lambda: b"up" in log.read_bytes())
    for count in (1, 2):  # it can be done again
        loop.process.send_signal(signal.SIGTSTP)
        assert wait_for(lambda: loop.state() == "T")
        assert log.read_bytes().count(b"resting") == count and log.read_bytes().count(b"back") == count - 1
        loop.process.send_signal(signal.SIGCONT)
        assert wait_for(lambda count=count: log.read_bytes().count(b"back") == count)  # type: ignore[misc]
    loop.process.send_signal(signal.SIGINT)
    assert loop.process.wait(20.0) == 130


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_a_terminal_that_is_gone_ends_nothing(tmp_path: Path, kind: str) -> None:
    ours, theirs = os.pipe() if kind == "pipe" else os.openpty()
    loop = Loop(tmp_path, theirs)
    os.close(theirs)
    assert b"up" in os.read(ours, 100)
    os.close(ours)
    time.sleep(0.3)
    assert loop.process.poll() is None
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.wait(20.0) == 143, "not 120, by which Python says that its last flush failed"
    assert loop.record.read_text() == "ended in order"


FOREIGN = "holding: \x1b[2J\r\nplaced\x07 \udcff"
AS_SHOWN = "holding: ?[2J??placed? ?"


def test_what_others_say_cannot_steer_the_terminal_or_silence_it(capsys: pytest.CaptureFixture) -> None:
    LiveLine().show(FOREIGN, 1)
    LiveLine().end(FOREIGN, "second line")
    complain(FOREIGN)
    say("and it goes on")
    found = capsys.readouterr()
    assert found.out == f"{AS_SHOWN}\n{AS_SHOWN}\nsecond line\nand it goes on\n"
    assert found.err == f"wm: {AS_SHOWN}\n"


def test_a_terminal_that_lacks_a_letter_is_not_gone(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as out:
        say("±1 \udcff", out)
        say("and it goes on", out)
    assert (tmp_path / "out").read_text() == "\\xb11 \\udcff\nand it goes on\n"
