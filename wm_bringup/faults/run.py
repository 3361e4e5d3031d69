"""One fault in one run: the graph as ``wm pick_place`` starts it, the fault done to the moving arm, and figures."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_bringup import graph, proc
from wm_bringup.cli import EXIT_CANNOT_RUN
from wm_bringup.live_run import ARM_TOPIC, TARGET_TOPIC, LiveRun, NoFilm
from wm_bringup.pick_place import EXIT_NOT_PLACED, SPIN_S, Outcome
from wm_bringup.processes import Processes
from wm_bringup.recorder import Recorder
from wm_core.errors import WmError

from .inject import Alter, Site, log_folder
from .interposer_node import RIVAL, true_topic
from .measure import Measures, measure
from .table import OVERSHOOT_M, Fault

#: The fault comes when the arm has been moving for this long and is commanded faster than this.
MOVING_S, MOVING_M_S = 1.0, 0.05
MOVES_WITHIN_S = 30.0
#: After the fault has been undone, for violations on the way back.
AFTER_S = 1.5
#: A process that was killed needs a moment to be gone on a busy machine.
GONE_WITHIN_S = 5.0


@dataclass(frozen=True)
class Result:
    """What came of one fault. ``failures`` says in whole sentences what was not as declared; all is well if empty."""

    fault: str
    measures: Measures | None
    exit_status: int
    message: str
    orphans: int
    failures: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Silent:
    """In place of the live line of a run: the campaign has its own."""

    def show(self, text: str, key: object) -> None:
        pass

    def end(self, text: str) -> None:
        pass


class FaultRun(LiveRun):
    """See the module. :meth:`run` does it; then :attr:`result` says what came of it.

    Args:
        arguments: as of ``wm pick_place``; ``goal`` must be a folder.
        interrupted: whether the user wants it to end.
        fault: what is done.
    Raises:
        WmError: an option, the bundle, the goal folder or the configuration is not usable.
    """

    def __init__(self, arguments: argparse.Namespace, interrupted: Callable[[], bool], fault: Fault) -> None:
        self._fault = fault
        self._measures: Measures | None = None
        self._complaint = ""
        self._sessions: list[int] = []
        given = argparse.Namespace(**{**vars(arguments), "set": [*arguments.set, *fault.settings]})
        super().__init__(given, interrupted)
        self._line = Silent()  # type: ignore[assignment]
        self.result: Result | None = None

    def _graph(self, goal: Path) -> graph.Graph:
        return self._fault.injection.prepare(super()._graph(goal))

    def _act(self, folder: Path, goal: Path) -> Outcome:
        """Let the arm move, do the fault, watch, undo it, watch, and end the run as any other."""
        declared = self._graph(goal)
        self._acting_since_s = time.monotonic()
        injection = self._fault.injection
        altered = isinstance(injection, Alter) and injection.fault != RIVAL and injection.topic == ARM_TOPIC
        arm_topic = true_topic(ARM_TOPIC) if altered else ARM_TOPIC
        recorder = Recorder(TARGET_TOPIC, arm_topic, self._controller.base_frame)
        self._executor.add_node(recorder)
        self._sessions += proc.children(os.getpid())
        self._monitor.begin(NoFilm())
        self._ask("start")
        moves = self._watch(MOVES_WITHIN_S, lambda: self._moving(recorder) or self._end_early() is not None)
        if (early := self._end_early()) is not None:
            return early
        if not moves:
            raise WmError(f"the arm did not move within {MOVES_WITHIN_S:g} s: {self._monitor.reason}")
        with Processes(log_folder(folder)) as others:
            site = Site(
                pids=proc.nodes(os.getpid()),
                graph=declared,
                command=self._command(folder, goal),
                others=others,
                call=self._trigger,
                owners=lambda: recorder.count_publishers(TARGET_TOPIC),
                wait=lambda true, timeout_s: self._watch(timeout_s, true),
            )
            injected_s = injection.begin(site)
            self._watch(injected_s + self._fault.lasts_s - time.time(), lambda: injection.over(site))
            self._sessions += proc.children(os.getpid())
            self._complaint = injection.complaint(site)
            healed_s = injection.end(site)
            self._watch(healed_s + AFTER_S - time.time())
        self._measures = measure(recorder.record, injected_s, healed_s, self._controller.limits)
        return self._stop() or Outcome(
            EXIT_NOT_PLACED, f"{self._measures.outcome}: {self._measures.reason}".rstrip(": ")
        )

    def _conclude(self, folder: Path, outcome: Outcome) -> Outcome:
        until_s = time.monotonic() + GONE_WITHIN_S
        while (orphans := proc.in_sessions(self._sessions)) and time.monotonic() < until_s:
            time.sleep(SPIN_S)
        self.result = Result(
            self._fault.name,
            self._measures,
            outcome.status,
            outcome.sentence,
            len(orphans),
            tuple(judge(self._fault, self._measures, outcome, len(orphans), self._complaint)),
        )
        return outcome

    # --- helpers ------------------------------------------------------------------------------------------------------
    def _moving(self, recorder: Recorder) -> bool:
        """Whether the arm has been moving for long enough, and does so now."""
        rows = recorder.record.targets
        if self._monitor.mode != "running" or len(rows) < 2:
            return False
        newest = rows.table[-4:]
        moving_m_s = np.linalg.norm(newest[-1, 1:4] - newest[0, 1:4]) / max(newest[-1, 0] - newest[0, 0], 1e-3)
        return time.monotonic() - self._acting_since_s >= MOVING_S and bool(moving_m_s >= MOVING_M_S)

    def _command(self, folder: Path, goal: Path) -> list[str]:
        """The words that would start this run once more."""
        words = ["pick_place", "--goal", goal, "--model", self._bundle, "--runs", folder / "second"]
        words += [] if self._arguments.config is None else ["--config", self._arguments.config]
        return [sys.executable, "-m", "wm_bringup.cli", *map(str, words)]


def judge(fault: Fault, measures: Measures | None, outcome: Outcome, orphans: int, complaint: str) -> list[str]:
    """What is not as the table declares it, in whole sentences."""
    if measures is None:
        return [f"the fault was not done: {outcome.sentence}"]
    m, failures = measures, [complaint] if complaint else []
    if m.outcome not in fault.expected:
        failures.append(f"it ended {m.outcome}, not {' or '.join(fault.expected)}")
    if fault.hold_within_s is not None and (m.hold_s is None or m.hold_s > fault.hold_within_s):
        when = "never" if m.hold_s is None else f"after {m.hold_s:.2f} s"
        failures.append(f"a hold was reported {when}, not within {fault.hold_within_s:.2f} s")
    if fault.rest_within_s is not None:
        if m.rest_s > fault.rest_within_s:
            failures.append(f"the target moved for {m.rest_s:.2f} s, not at most {fault.rest_within_s:.2f} s")
        if m.overshoot_m > OVERSHOOT_M:
            failures.append(f"the arm overshot by {1e3 * m.overshoot_m:.1f} mm, not at most {1e3 * OVERSHOOT_M:g} mm")
    if m.violations:
        failures.append("violations: " + ", ".join(f"{kind} {count}" for kind, count in m.violations.items()))
    if fault.dies and (outcome.status != EXIT_CANNOT_RUN or f"{fault.dies} was killed" not in outcome.sentence):
        failures.append(f"the run did not end with status {EXIT_CANNOT_RUN} and the name of the node that died")
    if not fault.dies and outcome.status != EXIT_NOT_PLACED:
        failures.append(f"the run ended with status {outcome.status}: {outcome.sentence}")
    if orphans:
        failures.append(f"{orphans} processes were left behind")
    return failures
