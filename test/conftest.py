"""For all tests: a ROS domain of the session's own on the loopback, one thread per library, no test deadlines."""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import hypothesis
import pytest

from wm_core import kinds

Foreign = Callable[[dict[str, str], dict[str, dict[str, str]]], Path]

#: Domains above 101 have ports from which Linux also serves outgoing connections.
DOMAINS = 101


def _lock_domain() -> tuple[int, IO[str]]:
    """A ROS domain that no other session of tests on this machine uses, and its lock, to be kept open as long."""
    for k in range(DOMAINS):
        domain = 1 + (os.getpid() + k) % DOMAINS
        lock = (Path(tempfile.gettempdir()) / f"wm_test_domain_{os.getuid()}_{domain}").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return domain, lock
    raise RuntimeError(f"all {DOMAINS} ROS domains are in use by other sessions of tests")


# Set at import, before anything of ROS or OpenMP starts; the nodes that a test starts inherit it.
_domain, _lock = _lock_domain()
os.environ["ROS_DOMAIN_ID"] = str(_domain)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["OMP_NUM_THREADS"] = "1"
# MuJoCo chooses when it is first imported, by whichever test comes first.
os.environ.setdefault("MUJOCO_GL", "egl")

# A shell's background jobs ignore these, and so would all that the tests start and interrupt.
for _number, _default in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _default)

# A shared or throttled machine is slow at times; that is no failure.
hypothesis.settings.register_profile("wm", deadline=None)
hypothesis.settings.load_profile("wm")


@pytest.fixture
def new_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Each call gives what is started from then on another ROS domain, for the rest of the test."""
    locks = []

    def choose() -> None:
        domain, lock = _lock_domain()
        locks.append(lock)
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))

    yield choose
    for lock in locks:
        lock.close()


@pytest.fixture(scope="session", autouse=True)
def nodes_are_collected_before_others_begin() -> Iterator[None]:
    """Fast DDS can hang for ever where a participant is destroyed while another of its process is discovered.

    A node that a test has left to the garbage collector must therefore be gone before the next one begins.
    """
    import rclpy

    begin = rclpy.init
    # All that the test modules have imported is here to stay; looking through it took a second for each node.
    gc.collect()
    gc.freeze()

    def collect_and_begin(*args: object, **more: object) -> object:
        gc.collect()
        return begin(*args, **more)

    rclpy.init = collect_and_begin
    yield
    rclpy.init = begin
    gc.unfreeze()


@pytest.fixture
def foreign_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """foreign_package(files by name, entry points by group and name) -> its folder, as if it were installed.

    This process finds it, and so do those that it starts.
    """
    before, folder = set(sys.modules), tmp_path / "foreign"

    def install(files: dict[str, str], entry_points: dict[str, dict[str, str]]) -> Path:
        information = folder / "foreign-1.0.dist-info"
        information.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
        lines = []
        for group, points in entry_points.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))
        importlib.invalidate_caches()
        kinds._entry_points.cache_clear()
        return folder

    yield install
    kinds._entry_points.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
