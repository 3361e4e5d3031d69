"""For which run a node gives plans: only for one whose start it saw when it was ready for it.

``start`` begins a run, and ``controller/state`` tells its id: of the run in progress or, while idle, of the next one. A
node that comes up in the middle of a run, or whose goals do, must not move an arm that nobody has started for it. It
ends such a run at once by saying that it is done, so that a person gets back to ``start``; and after the end of a run
of its own it is silent until another one is started.
"""

from __future__ import annotations

import threading

from wm_core.reports import ACTING, Mode

TOO_LATE = "the run began before this node was up, so nothing is planned in it; call start again"
NOT_READY = "the run began before the goals were there, so nothing is planned in it; call start again"


class Runs:
    """See the module. Its methods may be called from several threads.

    Attributes:
        mode: the controller's newest; None before the first, and while it is silent or cannot be read.
        current: the id of its run; "" before the first.
        run: id of the run that plans are, or were last, made for; None if there is none.
        done: whether that run has come to its end, as far as this node is concerned.
        reached: whether it ended because the last goal was really reached.
        refused: why nothing is planned in that run; "" if it is.
        turn: counts up whenever planning begins anew. What was computed in an earlier turn says nothing now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.mode: Mode | None = None
        self.current = ""
        self.run: str | None = None
        self.done = self.reached = False
        self.refused = ""
        self.turn = 0
        self._ready = False
        self._idle: str | None = None  # the newest run that was seen before its start, ...
        self._awaited: str | None = None  # ... and the newest that was so while this node was ready

    @property
    def planning(self) -> bool:
        """Whether plans are due."""
        return self.mode in ACTING and self.run == self.current and not self.done

    @property
    def running(self) -> bool:
        """Whether plans are due and the arm follows them: only then time counts."""
        return self.planning and self.mode == Mode.RUNNING

    @property
    def open(self) -> str:
        """The run that goals can be shown for: the controller's; "" if that has ended here, or none is known yet."""
        return "" if self.done and self.run == self.current else self.current

    @property
    def closed(self) -> str:
        """Why goals can be shown for no run now, as a sentence; "" if they can."""
        if self.mode is None:
            return "the controller is silent, so that no run is known; see whether it runs, and call again"
        return "" if self.open else "this run has ended; show the goals of the next one, which controller/state names"

    def ready(self) -> None:
        """From now on a start may be followed: the goals are there."""
        with self._lock:
            self._ready = True
            if self.mode == Mode.IDLE:
                self._awaited = self.current

    def hear(self, mode: Mode, run: str) -> bool:
        """Take the controller's mode and the id of its run. True if a run begins that plans are due for."""
        with self._lock:
            self.mode, self.current = mode, run
            if mode == Mode.IDLE:
                self._idle = run
                self._awaited = run if self._ready else None
                if run != self.run and not self.done:
                    self.run = None  # someone else ended it; of one that ended here, the result stays
            elif mode in ACTING and run != self.run:
                began = run == self._awaited
                self.run, self.done, self.reached = run, not began, False
                self.refused = "" if began else NOT_READY if run == self._idle else TOO_LATE
                self.turn += 1
                return began
            return False

    def lost(self) -> None:
        """The controller is silent, or cannot be read: nothing is planned until it can."""
        with self._lock:
            self.mode = None

    def replace(self) -> None:
        """Other goals are in use from now on."""
        with self._lock:
            self.turn += 1

    def finish(self, turn: int, reached: bool) -> None:
        """The last goal has ended, as was computed in this ``turn``."""
        with self._lock:
            if turn == self.turn and self.run is not None and not self.done:
                self.done, self.reached = True, reached
