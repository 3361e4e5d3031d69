"""One worker thread with a mailbox that holds only the newest job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Worker:
    """Runs jobs in one thread, so that planning never blocks the executor and old work never queues up.

    Args:
        on_error: called with what a job raised; the thread goes on.
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._latest: Job | None = None
        self._queue: deque[Job] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def offer(self, job: Job) -> None:
        """Leave a job in the mailbox; one that still waits there is dropped, and counted in ``dropped``."""
        with self._changed:
            self.dropped += self._latest is not None
            self._latest = job
            self._changed.notify()

    def submit(self, job: Job) -> None:
        """Queue a job; it is never dropped and goes before what is in the mailbox."""
        with self._changed:
            self._queue.append(job)
            self._changed.notify()

    def close(self, timeout_s: float = 2.0) -> None:
        """Let the job at work finish, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # the thread must outlive whatever one job brings
                self._on_error(error)

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._queue or self._latest is not None)
            if self._closed:
                return None
            if self._queue:
                return self._queue.popleft()
            job, self._latest = self._latest, None
            return job
