"""Jobs are all done, whoever is killed, and nobody is left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import jobs
import pytest

from wm_core.errors import WmError
from wm_lab.workers import ONE_THREAD, work


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once(workers: int) -> None:
    assert sorted(work(jobs.square, range(7), workers)) == [(k, k * k) for k in range(7)]


def test_no_job_needs_no_process() -> None:
    assert list(work(jobs.square, [], 2)) == []


def test_processes_have_one_thread_per_library_and_hear_no_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LP_NUM_THREADS", "8")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    said = [made for _, made in work(jobs.who, range(4), 2)]
    assert len({process for process, _, _ in said}) == 2
    assert all(threads == ["1"] * len(ONE_THREAD) and blocked for _, threads, blocked in said)
    assert os.environ["LP_NUM_THREADS"] == "8" and "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_killed_process_had_is_done_again(tmp_path: Path, workers: int) -> None:
    found = [made for _, made in work(jobs.die_once, [(tmp_path, k) for k in range(6)], workers)]
    assert (tmp_path / "died").exists() and sorted(found) == list(range(6))


def test_a_job_that_kills_each_time_is_given_up() -> None:
    with pytest.raises(WmError, match="3 processes in turn have ended over one job, the last by exit status 7"):
        list(work(jobs.die, [1], 1))


def test_faults_come_back() -> None:
    with pytest.raises(WmError, match=r"^not 4$"):
        list(work(jobs.refuse, [4], 2))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(work(jobs.stumble, [0], 1))


def test_an_early_end_leaves_nobody(tmp_path: Path) -> None:
    def tick() -> None:
        if len(list(tmp_path.iterdir())) == 2:
            raise KeyboardInterrupt

    asleep = work(jobs.sleep, [(tmp_path, k) for k in range(3)], 2, tick)
    with pytest.raises(KeyboardInterrupt):
        next(asleep)
    until_s = time.monotonic() + 30.0
    while any(Path("/proc", name.name).exists() for name in tmp_path.iterdir()):
        assert time.monotonic() < until_s
        time.sleep(0.05)
