"""Processes that start, stop and end under the eyes of their watch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wm_controller.launcher import Launcher


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    made = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield made
    made.kill()
    made.wait()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_lives_is_no_trouble(child: subprocess.Popen) -> None:
    assert Launcher(child.pid).trouble() == ""
    assert Launcher().pid == os.getppid() and Launcher().trouble() == ""
    assert Launcher(1).trouble() == ""


def test_suspended_and_going_on(child: subprocess.Popen) -> None:
    launcher = Launcher(child.pid)
    child.send_signal(signal.SIGSTOP)
    until(lambda: "is suspended; let it go on (fg), then call resume" in launcher.trouble())
    child.send_signal(signal.SIGCONT)
    until(lambda: launcher.trouble() == "")


@pytest.mark.parametrize("waited", [False, True])
def test_one_that_is_killed_is_gone_even_before_anybody_waits_for_it(child: subprocess.Popen, waited: bool) -> None:
    launcher = Launcher(child.pid)
    child.kill()
    if waited:
        child.wait()
    said = f"process {child.pid}, which started the stack, is gone; start the stack again"
    until(lambda: launcher.trouble() == said)


def stat(folder: Path, state: str, since: int, name: str = "python") -> None:
    (folder / "77").mkdir(exist_ok=True)
    (folder / "77" / "stat").write_text(f"77 ({name}) {state} " + "0 " * 18 + f"{since} 0 0\n")


@pytest.mark.parametrize("name", ["python", "a) Z 1 (", "\udcff"])
def test_another_process_of_the_same_id_is_another(tmp_path: Path, name: str) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "stat").write_bytes(
        f"77 ({name}) S ".encode(errors="surrogateescape") + b"0 " * 18 + b"1000 0 0\n"
    )
    launcher = Launcher(77, tmp_path)
    assert launcher.trouble() == ""
    stat(tmp_path, "S", 2000)
    assert "is gone" in launcher.trouble()


@pytest.mark.parametrize(("state", "says"), [("S", ""), ("R", ""), ("D", ""), ("t", "suspended"), ("X", "gone")])
def test_states(tmp_path: Path, state: str, says: str) -> None:
    stat(tmp_path, "S", 1000)
    launcher = Launcher(77, tmp_path)
    stat(tmp_path, state, 1000)
    assert says in launcher.trouble() and bool(says) is bool(launcher.trouble())


def test_one_that_was_gone_before_is_gone(tmp_path: Path, child: subprocess.Popen) -> None:
    (tmp_path / "self").mkdir()
    child.kill()
    child.wait()
    assert "is gone" in Launcher(child.pid, tmp_path).trouble()


@pytest.mark.parametrize("pid", [2**22 + 1, 2**31 - 1, 2**31, 2**63, 10**30])
def test_an_id_that_no_process_can_have_is_of_none(pid: int) -> None:
    assert "is gone" in Launcher(pid).trouble() and Launcher(pid).blind() == ""


def test_where_nothing_shows_it_its_end_is_seen_and_the_rest_is_said_not_to_be(
    tmp_path: Path, child: subprocess.Popen
) -> None:
    launcher = Launcher(child.pid, tmp_path / "none")
    assert "nobody will notice" in launcher.blind() and launcher.trouble() == ""
    child.kill()
    child.wait()
    assert "is gone" in launcher.trouble()
    assert Launcher().blind() == "" and Launcher(1, tmp_path / "none").blind() == ""


def test_one_that_we_may_not_see_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    launcher = Launcher(77, tmp_path)
    assert launcher.trouble() == "" and "nobody will notice" in launcher.blind()
