"""Hours of pick and place in one live graph: does it grow, does it jitter, does it hold without a reason?

The same processes live for the whole time, because only then their growth says anything. Each episode is a run of the
controller. Between two of them happens what a person would do: put the cube elsewhere, show the goal pictures of the
next run, have the planner use them, start. An episode that did not end by itself is stopped, gets new goals, and is
resumed.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensor_msgs.msg import Image
from std_msgs.msg import Int64

from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_core import reports, results, seeds, topics
from wm_core.errors import ConfigError, WmError
from wm_core.reports import LATCHED, ControllerState, Mode, kind_of
from wm_planner.goals import load_goals
from wm_ros import convert
from wm_ros.endpoints import publisher, subscribe

from . import proc, timing
from .cli import EXIT_CANNOT_RUN, EXIT_NO, EXIT_YES
from .faults.measure import violations
from .live_run import SETTLE_S, SPIN_S, LiveRun, Outcome, never
from .observers import Line, Observer, Plot, Summary
from .processes import Processes
from .recorder import Trace
from .run_config import RunConfig

SAMPLE_S = 2.0
#: Caches and arenas fill during the first episodes; a short soak can spare only a part of its time.
WARM_UP_S, WARM_UP_SHARE = 120.0, 0.25
GROWTH_PERCENT = 2.0
#: Two periods of the 50 Hz stream. MoveIt Servo would take 50 ms, CRISP any; 99.9 % must keep it.
DEADLINE_S = 0.04
#: For the encoder to take eight pictures, and the planner their latents, on a busy machine.
GOALS_WITHIN_S = 10.0
RESTART_WITHIN_S = 20.0
#: From the planner's "done" to the end of the run, at rest, and to the controller's word of it.
END_S = 2.0
#: A hold this shortly before the planner's "done" was heard is the end of the run.
REPORTED_S = 1.0
#: How much longer than the controller asks for after a stop one waits with a resume.
SLACK_S = 0.2
#: What the controller says of itself while nothing is wrong.
AS_ASKED = (Mode.RUNNING, Mode.IDLE)
#: The rest stands in the JSON.
SHOWN_HOLDS = 10


@dataclass(frozen=True)
class Episode:
    """One pick and place: the scene, whether the cube was placed, how long it took, and holds nobody asked for."""

    seed: int
    placed: bool
    seconds: float
    goal_distance_m: float
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """Of one node; ``samples`` are times (s) since the start and MB."""

    growth_percent: float
    first_mb: float
    last_mb: float
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SoakReport:
    """All figures.

    Attributes:
        placed: how many episodes ended so.
        memory: by node.
        commands: as of :func:`wm_bringup.timing.jitter`; ``latency``: as of :func:`wm_bringup.timing.ladder`.
        holds: how many of each kind; ``unexplained_holds``: those that came while nobody had stopped or ended anything.
        violations: of the envelope, by kind.
    """

    minutes: float
    episodes: tuple[Episode, ...]
    placed: int
    memory: dict[str, Memory]
    commands: dict[str, float]
    latency: dict[str, float]
    holds: dict[str, int]
    unexplained_holds: tuple[str, ...]
    violations: dict[str, int]


class Memories(Observer):
    """Samples how much memory each node takes. ``samples``: by node, times (s) since the start and MB."""

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, float]]] = {}
        self._sampled_s = -math.inf

    def begin(self, run: LiveRun) -> None:
        self._pids = proc.nodes(os.getpid())

    def look(self, run: LiveRun) -> None:
        if time.monotonic() - self._sampled_s < SAMPLE_S:
            return
        self._sampled_s = time.monotonic()
        for name, pid in self._pids.items():
            if (memory_mb := proc.rss_mb(pid)) is not None:
                self.samples.setdefault(name, []).append((run.acting_s, memory_mb))

    def growth(self, acting_s: float) -> dict[str, Memory]:
        """By node, after so long."""
        warm_s = min(WARM_UP_S, WARM_UP_SHARE * acting_s)
        return {
            name: Memory(
                timing.growth_percent(samples, warm_s),
                next(mb for at_s, mb in samples if at_s >= warm_s or at_s == samples[-1][0]),
                samples[-1][1],
                tuple(samples),
            )
            for name, samples in self.samples.items()
        }


class Progress(Line):
    """The live line of a soak; how it ended is said as of any run."""

    def __init__(self, soak: Soak) -> None:
        self._soak = soak

    def look(self, run: LiveRun) -> None:
        done = self._soak.episodes
        placed = sum(episode.placed for episode in done)
        text = f"{run.acting_s / 60.0:.1f} of {self._soak.minutes:g} min  {placed} of {len(done)} placed"
        run.line.show(f"{text}  {run.monitor.line}", len(done))


class Soak:
    """See the module. Exit status 0 only if everything is within its limits; 1 if not.

    Args:
        config: of the first scene.
        interrupted: whether the user wants it to end; what was measured until then is reported all the same.
        minutes: how long.
        scenes: how many take turns.
        json: file that gets all figures as well.

    Attributes:
        episodes: those that have ended.

    Raises WmError if an option or the configuration is not usable.
    """

    def __init__(
        self, config: RunConfig, interrupted: Callable[[], bool], minutes: float, scenes: int, json: Path | None = None
    ) -> None:
        if not 0.0 < minutes < math.inf:
            raise ConfigError(f"--minutes {minutes} must be positive")
        if scenes < 1:
            raise ConfigError(f"--scenes {scenes} must be at least 1")
        if json is not None:
            results.check_writable(json)
        self.minutes, self.episodes = minutes, list[Episode]()
        self._seeds = [seeds.checked(config.seed + k) for k in range(scenes)]
        self._json = json
        self._trace, self._memories = Trace(pictures=True), Memories()
        observers = [self._trace, self._memories, Plot(), Summary(), Progress(self)]
        self._run = LiveRun(config, interrupted, self._act, observers)
        #: When a hold is nobody's fault: from the end of an episode to the first plan of the next.
        self._between_s: list[tuple[float, float]] = []
        self._encoded: list[float] = []
        self._resumed_s = -math.inf

    def run(self) -> int:
        """Do it all. Returns the exit status; raises WmError if it could not be begun."""
        return self._run.run().status

    def _act(self, run: LiveRun) -> Outcome:
        first, *others = self._seeds
        pictures = {first: run.goal, **{seed: run.folder / f"goals_{seed}" for seed in others}}
        for seed in others:
            self._record_goals(seed, pictures[seed])
        self._reset = publisher(run.monitor, topics.RESET)
        self._goals = publisher(run.monitor, topics.GOAL_IMAGE)
        subscribe(run.monitor, topics.GOAL_LATENT, self._on_goal_latent)
        run.begin()
        until_s = time.monotonic() + 60.0 * self.minutes
        self._between_s.append((time.time(), math.inf))
        run.start()
        early: Outcome | None = None
        files = [run.folder / "soak.json", *([] if self._json is None else [self._json])]
        while early is None and time.monotonic() < until_s:
            seed = self._seeds[len(self.episodes) % len(self._seeds)]
            try:
                if self.episodes:
                    self._lay_out(seed, pictures[seed])
                self._episode(seed, until_s)
                for path in files:
                    results.write_json(path, {"episodes": [dataclasses.asdict(episode) for episode in self.episodes]})
                early = run.ended_early()
            except WmError as error:  # what was measured until now is reported all the same
                early = run.ended_early() or Outcome(EXIT_CANNOT_RUN, str(error))
        ended_s = time.time()
        unstopped = run.halt()  # to look at an hour of it takes seconds, in which nobody would watch the arm
        if early is None and unstopped:
            early = Outcome(EXIT_CANNOT_RUN, unstopped)
        report = self._report(ended_s)
        run.line.end(*summary(report))
        lost = []
        for path in files:
            try:
                results.write_json(path, reports.as_dict(report))
            except WmError as error:
                lost.append(str(error))
        if lost:
            return Outcome(EXIT_CANNOT_RUN, "; ".join(([early.sentence] if early else []) + lost))
        failures = judge(report)
        sentence = "; ".join(failures) if failures else "all within the limits"
        return early or Outcome(EXIT_NO if failures else EXIT_YES, sentence)

    # --- one episode --------------------------------------------------------------------------------------------------
    def _episode(self, seed: int, until_s: float) -> None:
        """From the first plan of this set of goals to the planner's "done"."""
        monitor, began_s = self._run.monitor, time.monotonic()
        if not self._wait(lambda: monitor.mode == Mode.RUNNING and not monitor.done, RESTART_WITHIN_S):
            raise WmError(f"episode {len(self.episodes) + 1} did not begin: {monitor.reason}")
        self._between_s[-1] = self._between_s[-1][0], time.time()
        first_hold = len(self._trace.record.states)
        limit_s = min(self._run.config.max_seconds, until_s - time.monotonic())
        done = self._wait(lambda: monitor.done, limit_s)
        if not done and time.monotonic() >= until_s:
            return  # the time is up in the middle of an episode; it is no result
        ended_s = time.time() - REPORTED_S
        self._between_s.append((ended_s, math.inf))
        self._wait(lambda: monitor.placed is True, SETTLE_S)
        states = self._trace.record.states[first_hold:]
        holds = tuple(said.reason for said in states if said.mode not in AS_ASKED and said.stamp_s < ended_s)
        distance_m = math.nan if monitor.scene is None else monitor.scene.goal_distance_m
        self.episodes.append(Episode(seed, monitor.placed is True, time.monotonic() - began_s, distance_m, holds))

    def _lay_out(self, seed: int, pictures: Path) -> None:
        """What a person does between two episodes. The arm stays where it is."""
        run, monitor = self._run, self._run.monitor
        ended = monitor.done
        if not ended:
            run.call(topics.STOP)
        elif not self._wait(lambda: monitor.mode in (Mode.IDLE, *LATCHED), END_S):
            raise WmError(f"the controller did not end the run within {END_S:g} s: {monitor.mode}: {monitor.reason}")
        stopped_s = time.monotonic()
        if ended and monitor.mode != Mode.IDLE:  # stopped while it came to its end: then resume leads to idle
            self._resume(stopped_s)
            self._wait(lambda: monitor.mode == Mode.IDLE, END_S)
        self._reset.publish(Int64(data=seed))
        if not self._wait(lambda: monitor.seed == seed, GOALS_WITHIN_S):
            raise WmError(f"the simulated arm did not lay out scene {seed}")
        goals = load_goals(pictures)
        stamp = monitor.get_clock().now().to_msg()
        self._encoded.clear()
        for k, picture in enumerate(goals):
            frame_id = convert.goal_frame(k, len(goals), monitor.run)
            self._goals.publish(convert.image_to_msg(picture, stamp, frame_id))
        stamp_s = convert.stamp_to_s(stamp)
        if not self._wait(lambda: self._encoded.count(stamp_s) == len(goals), GOALS_WITHIN_S):
            raise WmError("the encoder did not take the new goal pictures")
        self._use_goals()
        if ended:
            run.start()
        else:
            self._resume(stopped_s)

    def _resume(self, stopped_s: float) -> None:
        """Resume, not too soon after the stop at ``stopped_s``."""
        again = stopped_s - self._resumed_s < RESUME_SILENCE_S + SLACK_S
        after_s = (RESUME_SILENCE_S if again else RESUME_QUIET_S) + SLACK_S
        self._run.wait(never, stopped_s + after_s - time.monotonic())
        self._run.call(topics.RESUME)
        self._resumed_s = time.monotonic()

    def _use_goals(self) -> None:
        """Have the planner take the new goals; their latents may reach it later than us, so it is asked again."""
        until_s = time.monotonic() + GOALS_WITHIN_S
        while True:
            try:
                self._run.call(topics.USE_GOALS)
                return
            except WmError:
                if time.monotonic() > until_s or self._run.over():
                    raise
            self._run.wait(never, SPIN_S)

    def _on_goal_latent(self, msg: Image) -> None:
        self._encoded.append(convert.stamp_to_s(msg.header.stamp))

    def _record_goals(self, seed: int, pictures: Path) -> None:
        """Let the expert act in another scene, in a process of its own that has ended before anything is measured."""
        run = self._run
        run.line.show(f"the expert shows scene {seed}", seed)
        words = ["goals", "--seed", seed, "--count", run.config.goals, "--output", pictures]
        with Processes(run.folder / "log", run.spin) as processes:  # the graph is up: who looks after it must be heard
            command = [sys.executable, "-m", "wm_bringup.cli", *map(str, words)]
            processes.run(f"goals_{seed}", command, run.interrupted)

    def _wait(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it becomes true before the time is up, a node dies, or the user stops the run."""
        return self._run.wait(true, timeout_s, meanwhile=self._run.look)

    # --- the end ------------------------------------------------------------------------------------------------------
    def _report(self, ended_s: float) -> SoakReport:
        record, acting_s = self._trace.record, self._run.acting_s
        sent_s = record.sent.table[:, 0]
        began_s = record.targets.table[0, 0] if len(record.targets) else 0.0
        holds = [said for said in record.states if said.mode not in AS_ASKED and said.stamp_s < ended_s]
        unexplained = [said for said in holds if not any(a <= said.stamp_s <= b for a, b in self._between_s)]
        return SoakReport(
            minutes=acting_s / 60.0,
            episodes=tuple(self.episodes),
            placed=sum(episode.placed for episode in self.episodes),
            memory=self._memories.growth(acting_s),
            commands=timing.jitter(sent_s, DEADLINE_S, idle(record.states)),
            latency=timing.ladder(record.walk),
            holds=dict(Counter(kind_of(said.reason) for said in holds)),
            unexplained_holds=tuple(
                f"{said.stamp_s - began_s:.2f} s: {said.mode}: {said.reason}" for said in unexplained
            ),
            violations=violations(record, self._run.controller.limits, began_s),
        )


def idle(states: Sequence[ControllerState]) -> list[tuple[float, float]]:
    """From when to when (s) nothing is commanded, because the one run has ended and the next not begun."""
    ends = [*(said.stamp_s for said in states), math.inf][1:]
    return [(said.stamp_s, end_s) for said, end_s in zip(states, ends, strict=True) if said.mode == Mode.IDLE]


def judge(report: SoakReport) -> list[str]:
    """What is not within its limit, one sentence each."""
    failures = []
    for name, memory in report.memory.items():
        if not memory.growth_percent < GROWTH_PERCENT:
            failures.append(f"the memory of {name} grew by {memory.growth_percent:.1f} %")
    if not report.commands["p999_ms"] <= 1e3 * DEADLINE_S:
        failures.append(f"p99.9 of the command intervals is {report.commands['p999_ms']:.1f} ms")
    if report.unexplained_holds:
        failures.append(f"{len(report.unexplained_holds)} unexplained holds")
    if report.violations:
        failures.append(f"violations: {report.violations}")
    if not report.episodes:
        failures.append("no episode came to its end")
    return failures


def summary(report: SoakReport) -> list[str]:
    """All figures for people, as a few lines."""
    commands, latency = report.commands, report.latency
    lines = [
        f"{len(report.episodes)} episodes in {report.minutes:.1f} min, {report.placed} placed",
        "commands: every {p50_ms:.1f} ms, p99 {p99_ms:.1f}, p99.9 {p999_ms:.1f}, max {max_ms:.1f}; "
        "{missed} of {intervals} missed the deadline".format(**commands),
        "frame to plan: p50 {frame_to_plan_p50_ms:.0f} ms, p99 {frame_to_plan_p99_ms:.0f}; to the first command: p50 "
        "{frame_to_first_command_p50_ms:.0f} ms, p99 {frame_to_first_command_p99_ms:.0f}".format(**latency),
    ]
    for name, memory in report.memory.items():
        lines.append(f"memory of {name}: {memory.last_mb:.1f} MB, {memory.growth_percent:+.2f} %")
    holds = report.unexplained_holds
    lines += [f"unexplained hold at {hold}" for hold in holds[:SHOWN_HOLDS]]
    lines += [f"and {len(holds) - SHOWN_HOLDS} more"] if len(holds) > SHOWN_HOLDS else []
    return [*lines, f"violations: {report.violations if report.violations else 'none'}"]
