"""One fault in one run: the graph as ``wm pick_place`` starts it, the fault done to the moving arm, and figures."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
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
from wm_core import results
from wm_core.errors import WmError

from . import launcher
from .inject import Site
from .interposer_node import RIVAL_POSE
from .keyboard import Keyboard
from .measure import Measures, measure
from .table import Fault

#: The fault comes when the arm has been moving for this long and is commanded faster than this.
MOVING_S, MOVING_M_S = 1.0, 0.05
MOVES_WITHIN_S = 30.0
#: After the fault has been undone, for violations on the way back.
AFTER_S = 1.5
#: A stream that is faster than this many times its rate is sent twice: each start or stop sends one target besides.
MOST_RATE = 1.3
#: What starts the graph in the place of this program, by the name of its process.
LAUNCHER = "launcher"
#: How long a ``wm`` of the fault's own acts at most, and how long it may take to end.
WM_SECONDS, WM_ENDS_S = 12.0, 15.0
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
        NotHere: this machine lacks what the fault needs.
        WmError: an option, the bundle, the goal folder or the configuration is not usable.
    """

    def __init__(self, arguments: argparse.Namespace, interrupted: Callable[[], bool], fault: Fault) -> None:
        self._fault, self._under = fault, fault.injection.under
        self._measures: Measures | None = None
        self._complaint = ""
        self._sessions: list[int] = []
        self._own = Path(arguments.runs).resolve() / "fault"  # files of the fault's own
        self._own.mkdir(parents=True, exist_ok=True)
        self._environment = fault.injection.environment(self._own)
        self._keyboard: Keyboard | None = None
        given = argparse.Namespace(**{**vars(arguments), "set": [*arguments.set, *fault.settings]})
        super().__init__(given, interrupted)
        self._line = Silent()  # type: ignore[assignment]
        self._beats = self._under == ""
        self.result: Result | None = None

    def _graph(self, goal: Path) -> graph.Graph:
        made = self._fault.injection.prepare(super()._graph(goal))
        if self._under == "":
            return made
        # Whoever starts the nodes says by whose life the arm may move; see launcher.py.
        alone = {"launcher_heartbeat": False}
        nodes = (
            dataclasses.replace(
                spec, parameters={**spec.parameters, **(alone if spec.name == graph.CONTROLLER else {})}
            )
            for spec in made.nodes
        )
        return dataclasses.replace(made, nodes=tuple(nodes))

    def _start_nodes(self, declared: graph.Graph) -> None:
        """By whom the fault wants it. The graph is the same."""
        with _environment(self._environment):
            if self._under == "":
                super()._start_nodes(declared)
            elif self._under == "launch":
                nodes = [dataclasses.asdict(spec) for spec in declared.nodes]
                results.write_json(self._own / launcher.GRAPH, nodes)  # which is YAML as well
                self._processes.start(LAUNCHER, [sys.executable, "-m", launcher.__name__, str(self._own)])
            else:
                self._keyboard = Keyboard(self._own / "wm.log")
                words = [word for rule in self._arguments.set for word in ("--set", rule)]
                command = [*self._command(self._arguments.goal, "wm"), "--max-seconds", str(WM_SECONDS), *words]
                self._processes.start(LAUNCHER, self._keyboard.command(command))

    def _act(self, folder: Path, goal: Path) -> Outcome:
        """Let the arm move, do the fault, watch, undo it, watch, and end the run as any other."""
        declared = self._graph(goal)
        self._acting_since_s = time.monotonic()
        injection = self._fault.injection
        recorder = Recorder(
            injection.heard_at(TARGET_TOPIC),
            injection.heard_at(ARM_TOPIC),
            self._controller.base_frame,
            injection.heard_at("planner/plan"),
            injection.heard_at("controller/state"),
            injection.false_stamps,
            RIVAL_POSE[:3],
        )
        self._executor.add_node(recorder)
        self._sessions += self._nodes().values()
        self._monitor.begin(NoFilm())
        if self._under != "wm":
            self._ask("start")
        moves = self._watch(MOVES_WITHIN_S, lambda: self._moving(recorder) or self._end_early() is not None)
        if (early := self._end_early()) is not None:
            return early
        if not moves:
            raise WmError(f"the arm did not move within {MOVES_WITHIN_S:g} s: {self._monitor.reason}")
        with Processes(self._own, self._spin) as others:  # the arm moves only as long as we watch
            site = Site(
                pids=self._nodes(),
                graph=declared,
                command=self._command(goal, "second"),
                others=others,
                folder=self._own,
                launcher=0 if self._under == "" else self._processes.pid(LAUNCHER),
                keyboard=self._keyboard,
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
        limits = None if injection.false_stamps else self._controller.limits
        self._measures = measure(recorder.record, injected_s, healed_s, limits)
        if self._under == "wm":
            return self._end_of_wm()
        return self._stop() or Outcome(
            EXIT_NOT_PLACED, f"{self._measures.outcome}: {self._measures.reason}".rstrip(": ")
        )

    def _end_of_wm(self) -> Outcome:
        """How ``wm`` ended; by itself, if only because its time was up."""
        self._watch(WM_SECONDS + WM_ENDS_S, lambda: self._processes.has_ended(LAUNCHER))
        if self._keyboard is not None:
            self._keyboard.close()
        ended = self._processes.ended()
        status = -1 if ended is None else ended.status
        return Outcome(status, "wm did not end" if ended is None else f"wm ended with status {status}")

    def _conclude(self, folder: Path, outcome: Outcome) -> Outcome:
        if self._under == "launch":
            self._end_nodes()  # that is left to the lab; here it must not disturb the next fault
        until_s = time.monotonic() + GONE_WITHIN_S
        while (orphans := proc.in_sessions(self._sessions)) and time.monotonic() < until_s:
            time.sleep(SPIN_S)
        self.result = Result(
            self._fault.name,
            self._measures,
            outcome.status,
            outcome.sentence,
            len(orphans),
            tuple(judge(self._fault, self._measures, outcome, len(orphans), self._complaint, self._controller.rate_hz)),
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

    def _nodes(self) -> dict[str, int]:
        """Process ids of the nodes by name, whoever started them."""
        return proc.nodes(os.getpid() if self._under == "" else self._processes.pid(LAUNCHER))

    def _end_nodes(self) -> None:
        """End the nodes that a killed launcher left behind."""
        for number, wait_s in ((signal.SIGINT, WM_ENDS_S), (signal.SIGKILL, GONE_WITHIN_S)):
            left = proc.in_sessions(self._sessions)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            until_s = time.monotonic() + wait_s
            while proc.in_sessions(self._sessions) and time.monotonic() < until_s:
                time.sleep(SPIN_S)

    def _command(self, goal: Path, name: str) -> list[str]:
        """The words that would start this run once more."""
        words = ["pick_place", "--goal", goal, "--model", self._bundle, "--runs", self._own / name]
        words += [] if self._arguments.config is None else ["--config", self._arguments.config]
        return [sys.executable, "-m", "wm_bringup.cli", *map(str, words)]


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """With these variables in the environment, which children inherit."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def judge(
    fault: Fault, measures: Measures | None, outcome: Outcome, orphans: int, complaint: str, rate_hz: float = math.inf
) -> list[str]:
    """What is not as the table declares it, in whole sentences; ``rate_hz`` is that of the controller."""
    if measures is None:
        return [f"the fault was not done: {outcome.sentence}"]
    m, failures = measures, [complaint] if complaint else []
    if m.outcome not in fault.expected:
        failures.append(f"it ended {m.outcome}, not {' or '.join(fault.expected)}")
    if fault.hold_within_s is not None and (m.hold_s is None or m.hold_s > fault.hold_within_s):
        when = "never" if m.hold_s is None else f"after {m.hold_s:.2f} s"
        failures.append(f"a hold was reported {when}, not within {fault.hold_within_s:.2f} s")
    if fault.rest_within_s is not None:
        rest_s = m.first_rest_s if fault.goes_on else m.rest_s
        if rest_s is None:
            failures.append("the target did not come to rest")
        elif rest_s > fault.rest_within_s:
            failures.append(f"the target moved for {rest_s:.2f} s, not at most {fault.rest_within_s:.2f} s")
        if not fault.goes_on and m.overshoot_m > fault.overshoot_m:
            most_mm = 1e3 * fault.overshoot_m
            failures.append(f"the arm overshot by {1e3 * m.overshoot_m:.1f} mm, not at most {most_mm:g} mm")
    if m.rate_hz > MOST_RATE * rate_hz:
        failures.append(f"targets came at {m.rate_hz:.0f} Hz, not at {rate_hz:.0f} Hz")
    if m.violations:
        failures.append("violations: " + ", ".join(f"{kind} {count}" for kind, count in m.violations.items()))
    if fault.exits is not None:
        if outcome.status != fault.exits:
            failures.append(f"it ended with status {outcome.status}, not {fault.exits}: {outcome.sentence}")
    elif fault.dies and (outcome.status != EXIT_CANNOT_RUN or f"{fault.dies} was killed" not in outcome.sentence):
        failures.append(f"the run did not end with status {EXIT_CANNOT_RUN} and the name of the node that died")
    elif not fault.dies and outcome.status != EXIT_NOT_PLACED:
        failures.append(f"the run ended with status {outcome.status}: {outcome.sentence}")
    if orphans:
        failures.append(f"{orphans} processes were left behind")
    return failures
