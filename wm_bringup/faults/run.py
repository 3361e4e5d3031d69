"""One fault in one run: the graph as ``wm pick_place`` starts it, the fault done to the moving arm, and figures."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wm_bringup import graph, proc
from wm_bringup.cli import EXIT_CANNOT_RUN, EXIT_NO
from wm_bringup.live_run import SPIN_S, LiveRun, Outcome, Starter, never
from wm_bringup.processes import Processes
from wm_bringup.recorder import Trace
from wm_bringup.run_config import RunConfig
from wm_bringup.terminal import NoLine
from wm_core import results
from wm_core.errors import WmError
from wm_core.reports import Mode
from wm_core.topics import CONTROLLER, TARGET

from . import launcher
from .inject import Injection, Site
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


class FaultStarter(Starter):
    """Starts the nodes as a fault wants it: by this program, or by another that the fault is done to.

    Args:
        config: of the run.
        injection: the fault.
        folder: for files of the fault's own.
    """

    def __init__(self, config: RunConfig, injection: Injection, folder: Path) -> None:
        self._config, self._injection, self._folder = config, injection, folder
        self._environment = injection.environment(folder)
        self.beats = injection.under == ""
        self.keyboard: Keyboard | None = None

    def prepare(self, declared: graph.Graph) -> graph.Graph:
        made = self._injection.prepare(declared)
        if self.beats:
            return made
        # Whoever starts the nodes says by whose life the arm may move; see launcher.py.
        alone = {"launcher_heartbeat": False}
        nodes = (
            replace(spec, parameters={**spec.parameters, **(alone if spec.name == CONTROLLER else {})})
            for spec in made.nodes
        )
        return replace(made, nodes=tuple(nodes))

    def start(self, run: LiveRun) -> None:
        with _environment(self._environment):
            if self._injection.under == "":
                super().start(run)
            elif self._injection.under == "launch":
                nodes = [dataclasses.asdict(spec) for spec in run.graph.nodes]
                results.write_json(self._folder / launcher.GRAPH, nodes)  # which is YAML as well
                run.processes.start(LAUNCHER, [sys.executable, "-m", launcher.__name__, str(self._folder)])
            else:
                self.keyboard = Keyboard(self._folder / "wm.log")
                words = [word for rule in self._config.settings for word in ("--set", rule)]
                command = [*self.command("wm"), "--max-seconds", str(WM_SECONDS), *words]
                run.processes.start(LAUNCHER, self.keyboard.command(command))

    def launcher(self, run: LiveRun) -> int:
        """Process id of what started the nodes, where that is not this program; else 0."""
        return 0 if self.beats else run.processes.pid(LAUNCHER)

    def nodes(self, run: LiveRun) -> dict[str, int]:
        """Process ids of the nodes by name, whoever started them."""
        return proc.nodes(self.launcher(run) or os.getpid())

    def command(self, name: str) -> list[str]:
        """The words that would start this run once more, in a folder of this name."""
        config = self._config
        assert config.goal is not None  # the campaign has seen to it
        words = ["pick_place", "--goal", config.goal, "--model", config.bundle, "--runs", self._folder / name]
        words += [] if config.config is None else ["--config", config.config]
        return [sys.executable, "-m", "wm_bringup.cli", *map(str, words)]


class FaultRun:
    """See the module. :meth:`run` does it.

    Args:
        config: of the run; ``goal`` must be a folder.
        interrupted: whether the user wants it to end.
        fault: what is done.
    Raises:
        NotHere: this machine lacks what the fault needs.
        WmError: the configuration is not usable.
    """

    def __init__(self, config: RunConfig, interrupted: Callable[[], bool], fault: Fault) -> None:
        injection = fault.injection
        self._fault, self._injection = fault, injection
        self._own = Path(config.runs).resolve() / "fault"  # files of the fault's own
        self._own.mkdir(parents=True, exist_ok=True)
        config = replace(config, settings=(*config.settings, *fault.settings))
        self._starter = FaultStarter(config, injection, self._own)
        self._trace = Trace(injection.heard_at, injection.false_stamps, RIVAL_POSE[:3])
        self._run = LiveRun(config, interrupted, self._act, [self._trace], self._starter, NoLine())
        self._measures: Measures | None = None
        self._complaint = ""
        self._sessions: list[int] = []

    def run(self) -> Result:
        """What came of it. Raises WmError if it could not be begun."""
        outcome = self._run.run()
        if self._injection.under == "launch":
            self._end_nodes()  # that is left to the lab; here it must not disturb the next fault
        orphans = len(self._left(GONE_WITHIN_S))
        controller = self._run.controller
        failures = judge(self._fault, self._measures, outcome, orphans, self._complaint, controller.rate_hz)
        measures, name = self._measures, self._fault.name
        return Result(name, measures, outcome.status, outcome.sentence, orphans, tuple(failures))

    def _act(self, run: LiveRun) -> Outcome:
        """Let the arm move, do the fault, watch, undo it, watch, and end the run as any other."""
        injection = self._injection
        self._sessions += self._starter.nodes(run).values()
        run.begin()
        if injection.under != "wm":
            run.start()
        if not run.wait(lambda: self._moving(run), MOVES_WITHIN_S):
            if (early := run.ended_early()) is not None:
                return early
            raise WmError(f"the arm did not move within {MOVES_WITHIN_S:g} s: {run.monitor.reason}")
        with Processes(self._own, run.spin) as others:  # the arm moves only as long as we watch
            site = Site(
                pids=self._starter.nodes(run),
                graph=run.graph,
                command=self._starter.command("second"),
                others=others,
                folder=self._own,
                launcher=self._starter.launcher(run),
                keyboard=self._starter.keyboard,
                call=run.call,
                owners=lambda: run.monitor.count_publishers(TARGET.name),
                # Nodes may die of a fault; that ends no wait.
                wait=lambda true, timeout_s: run.wait(true, timeout_s, run.interrupted),
            )
            injected_s = injection.begin(site)
            site.wait(lambda: injection.over(site), injected_s + self._fault.lasts_s - time.time())
            self._sessions += proc.children(os.getpid())
            self._complaint = injection.complaint(site)
            healed_s = injection.end(site)
            site.wait(never, healed_s + AFTER_S - time.time())
        limits = None if injection.false_stamps else run.controller.limits
        self._measures = measures = measure(self._trace.record, injected_s, healed_s, limits)
        if injection.under == "wm":
            return self._end_of_wm(run)
        return run.stop() or Outcome(EXIT_NO, f"{measures.outcome}: {measures.reason}".rstrip(": "))

    def _end_of_wm(self, run: LiveRun) -> Outcome:
        """How ``wm`` ended; by itself, if only because its time was up."""
        run.wait(lambda: run.processes.has_ended(LAUNCHER), WM_SECONDS + WM_ENDS_S)
        if self._starter.keyboard is not None:
            self._starter.keyboard.close()
        ended = run.processes.ended()
        status = -1 if ended is None else ended.status
        return Outcome(status, "wm did not end" if ended is None else f"wm ended with status {status}")

    def _moving(self, run: LiveRun) -> bool:
        """Whether the arm has been moving for long enough, and does so now."""
        rows = self._trace.record.targets
        if run.monitor.mode != Mode.RUNNING or len(rows) < 2:
            return False
        newest = rows.table[-4:]
        moving_m_s = np.linalg.norm(newest[-1, 1:4] - newest[0, 1:4]) / max(newest[-1, 0] - newest[0, 0], 1e-3)
        return run.acting_s >= MOVING_S and bool(moving_m_s >= MOVING_M_S)

    def _left(self, within_s: float) -> list[int]:
        """The processes of the run that are still there after so long; no graph is watched any more."""
        until_s = time.monotonic() + within_s
        while (left := proc.in_sessions(self._sessions)) and time.monotonic() < until_s:
            time.sleep(SPIN_S)
        return left

    def _end_nodes(self) -> None:
        """End the nodes that a killed launcher left behind."""
        for number, wait_s in ((signal.SIGINT, WM_ENDS_S), (signal.SIGKILL, GONE_WITHIN_S)):
            for pid in proc.in_sessions(self._sessions):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            self._left(wait_s)


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
    elif not fault.dies and outcome.status != EXIT_NO:
        failures.append(f"the run ended with status {outcome.status}: {outcome.sentence}")
    if orphans:
        failures.append(f"{orphans} processes were left behind")
    return failures
