"""Jobs in several processes, whose results do not depend on how many there are.

Each process has one thread per library: rendering and linear algebra round alike however many run beside each other,
and threads below a process a core only get in each other's way. Jobs of a process that was killed are done again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

from wm_core.errors import WmError

Job = TypeVar("Job")
Result = TypeVar("Result")

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")
#: What a terminal sends to all processes of a command: the one that leads decides what becomes of it.
_NOT_OURS = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP}
#: A job under which so many processes have died is given up.
TRIES = 3
TICK_S = 0.2


def work(
    run: Callable[[Job], Result], jobs: Iterable[Job], workers: int, tick: Callable[[], None] = lambda: None
) -> Generator[tuple[Job, Result], None, None]:
    """Each job with its result, as they are finished.

    Args:
        run: a function of a module, called in the processes; what it needs again it keeps in that module.
        workers: how many processes.
        tick: called several times a second; it ends everything by raising.
    Raises:
        WmError: ``run`` did, or processes have died over one job again and again.
    """
    context = multiprocessing.get_context("spawn")
    todo = list(jobs)
    waiting, deaths = deque(range(len(todo))), Counter[int]()
    staff: list[_Worker] = []
    try:
        while waiting or any(worker.job is not None for worker in staff):
            while len(staff) < min(workers, len(todo)) and waiting:
                staff.append(_Worker(context, run))
            for worker in staff:
                if worker.job is None and waiting:
                    worker.give(waiting.popleft(), todo)
            ready = wait([worker.pipe for worker in staff], TICK_S)
            tick()
            for worker in [worker for worker in staff if worker.pipe in ready]:
                number = worker.job
                answer = worker.answer()
                if answer is None:
                    staff.remove(worker)
                    how = worker.end(patience_s=1.0)
                    if number is not None:
                        waiting.appendleft(number)
                        deaths[number] += 1
                        if deaths[number] == TRIES:
                            raise WmError(f"{TRIES} processes in turn have ended over one job, the last by {how}")
                elif isinstance(answer[0], Exception):
                    raise answer[0]
                elif number is not None:
                    yield todo[number], answer[0]
    finally:
        for worker in staff:
            worker.end()


class _Worker:
    """One process, and the number of the job that it has."""

    def __init__(self, context: SpawnContext, run: Callable[[Any], Any]) -> None:
        self.job: int | None = None
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, run), daemon=True)
        with _inherited():
            self._process.start()
        theirs.close()

    def give(self, number: int, todo: list[Any]) -> None:
        self.job = number
        try:
            self.pipe.send(todo[number])
        except OSError:
            return  # it is dead, which its pipe says as well

    def answer(self) -> tuple[Any] | None:
        """What it made of its job; None if it has died."""
        try:
            made = self.pipe.recv()
        except (EOFError, OSError):
            return None
        self.job = None
        return (made,)

    def end(self, patience_s: float = 0.0) -> str:
        """End it, at once unless it is about to end by itself; how it has ended, in words."""
        self._process.join(patience_s)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        self.pipe.close()
        return f"signal {-code}" if code < 0 else f"exit status {code}"


@contextmanager
def _inherited() -> Iterator[None]:
    """What is started meanwhile has one thread per library, and never hears of the signals that are not its own."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_OURS)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(pipe: Connection, run: Callable[[Any], Any]) -> None:
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            made = run(job)
        except WmError as error:
            made = WmError(str(error))
        except ImportError as error:
            made = error
        except Exception:
            made = RuntimeError(traceback.format_exc())
        try:
            pipe.send(made)
        except OSError:
            return  # nobody is left who would want it
