"""What test_workers.py has done in other processes, which import it by its name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from wm_core.errors import WmError
from wm_lab.workers import ONE_THREAD


def square(number: int) -> int:
    return number**2


def who(_: int) -> tuple[int, list[str | None], bool]:
    """Which process, with how many threads, and whether Ctrl-C is kept from it."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    time.sleep(0.2)
    return os.getpid(), [os.environ.get(name) for name in ONE_THREAD], signal.SIGINT in blocked


def die_once(job: tuple[Path, int]) -> int:
    """The process is killed as soon as it has job 3 for the first time."""
    folder, number = job
    if number == 3 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number: int) -> None:
    os._exit(7)


def refuse(number: int) -> None:
    raise WmError(f"not {number}")


def stumble(number: int) -> float:
    return 1.0 / number


def sleep(job: tuple[Path, int]) -> None:
    (job[0] / str(os.getpid())).touch()
    time.sleep(600.0)
