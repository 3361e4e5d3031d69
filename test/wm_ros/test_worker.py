from __future__ import annotations

import threading

from wm_ros.worker import Worker


def test_only_the_newest_offer_waits_and_submitted_jobs_never_drop() -> None:
    done: list[object] = []
    gate, finished = threading.Event(), threading.Event()
    worker = Worker(lambda error: None)
    worker.submit(gate.wait)
    for k in range(5):
        worker.offer(lambda k=k: done.append(k))
    for k in "ab":
        worker.submit(lambda k=k: done.append(k))
    gate.set()
    worker.submit(lambda: None)
    worker.submit(finished.set)
    assert finished.wait(2.0)
    worker.offer(finished.clear)
    worker.close()
    assert done in (["a", "b", 4], ["a", "b"]) and worker.dropped >= 4


def test_a_job_that_fails_is_told_and_the_thread_goes_on() -> None:
    errors: list[str] = []
    finished = threading.Event()
    worker = Worker(lambda error: errors.append(str(error)))
    worker.submit(lambda: [][1])
    worker.submit(finished.set)
    assert finished.wait(2.0)
    worker.close()
    assert errors == ["list index out of range"]
