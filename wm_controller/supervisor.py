"""What the controller may do now: five modes, seven events, and one table of what each event does in each mode.

Pure bookkeeping. Who judges the inputs says "fine", "hold" or "fault" at each tick and gives the reason; people say
start, stop and resume; the run's own end is "end". Stopped and fault are latched: nothing but a person's ``resume``
leads out of them, and where the run has ended meanwhile, it leads to idle.
"""

from __future__ import annotations

from wm_core.reports import ACTING, LATCHED, Mode

IDLE, RUNNING, HOLDING, STOPPED, FAULT = Mode
EVENTS = ("start", "stop", "resume", "end", "fine", "hold", "fault")
#: How a reason ends that no resume can mend.
START_ANEW = "start the stack again"
#: To where the arm was stopped from: idle if it had not been started, else holding, until there is a fresh plan.
_BACK = None

# What a person says: start, stop, resume. The run is over: end. What the inputs of a tick say: fine, hold (it ends by
# itself), fault.
TABLE: dict[Mode, dict[str, Mode | None]] = {
    mode: dict(zip(EVENTS, then, strict=True))
    for mode, then in {
        #          start    stop     resume   end      fine     hold     fault
        IDLE:     (HOLDING, STOPPED, IDLE,    IDLE,    IDLE,    IDLE,    IDLE),
        RUNNING:  (RUNNING, STOPPED, RUNNING, IDLE,    RUNNING, HOLDING, FAULT),
        HOLDING:  (HOLDING, STOPPED, HOLDING, IDLE,    RUNNING, HOLDING, FAULT),
        STOPPED:  (STOPPED, STOPPED, _BACK,   STOPPED, STOPPED, STOPPED, STOPPED),
        FAULT:    (FAULT,   STOPPED, _BACK,   FAULT,   FAULT,   FAULT,   FAULT),
    }.items()
}  # fmt: skip


class Supervisor:
    """The mode and the reason for it.

    Attributes:
        mode: what the controller may do now.
        reason: one sentence; "" only when running.
    """

    def __init__(self) -> None:
        self.mode: Mode = IDLE
        self.reason = "waiting for start"
        self._back: Mode = IDLE

    @property
    def latched(self) -> bool:
        """Whether only ``resume`` leads on."""
        return self.mode in LATCHED

    @property
    def started(self) -> bool:
        """Whether the arm may move now, or would if nothing held it."""
        return self.mode in ACTING

    @property
    def in_run(self) -> bool:
        """Whether a run is in progress; one that was stopped is, until it ends."""
        return self.started or (self.latched and self._back != IDLE)

    def take(self, event: str, reason: str = "") -> Mode:
        """Let one event happen; returns the mode it leads to.

        A latched mode keeps the reason that led to it, an idle one that of its end. Raises KeyError for an event that
        is none of :data:`EVENTS`.
        """
        before, then = self.mode, TABLE[self.mode][event]
        if then is _BACK:
            then = self._back
        if then in LATCHED and before not in LATCHED:
            self._back = IDLE if before == IDLE else HOLDING
        if event == "end":
            self._back = IDLE
        self.mode = then
        if then == RUNNING:
            self.reason = ""
        elif then == IDLE:
            if before != IDLE:
                self.reason = f"{reason}; call start" if event == "end" and reason else "waiting for start"
        elif then == HOLDING:
            self.reason = (reason if event == "hold" else "") or "waiting for a plan"
        elif before not in LATCHED:
            reason = reason or "stopped"
            self.reason = reason if reason.endswith(START_ANEW) else f"{reason}; call resume to go on"
        return then
