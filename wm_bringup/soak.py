"""Hours of pick and place in one live graph: does it grow, does it jitter, does it hold without a reason?

The same processes live for the whole time, because only then their growth says anything. Each episode is a run of the
controller. Between two of them happens what a person would do: put the cube elsewhere, show the goal pictures of the
next run, have the planner use them, start. An episode that did not end by itself is stopped, gets new goals, and is
resumed.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor_msgs.msg import Image
from std_msgs.msg import Int64

from wm_controller.interface import RESUME_QUIET_S, RESUME_SILENCE_S
from wm_controller.supervisor import LATCHED
from wm_core import results
from wm_core.errors import ConfigError, WmError
from wm_planner.goals import load_goals
from wm_ros import convert, qos

from . import proc, timing
from .cli import EXIT_CANNOT_RUN
from .faults.measure import violations
from .live_run import ARM_TOPIC, TARGET_TOPIC, LiveRun, NoFilm
from .pick_place import EXIT_NOT_PLACED, EXIT_PLACED, SETTLE_S, SPIN_S, Outcome
from .processes import Processes
from .recorder import Mode, Recorder

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
AS_ASKED = ("running", "idle")
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


class Soak(LiveRun):
    """See the module. Exit status 0 only if everything is within its limits; 1 if not.

    Args:
        arguments: as of ``wm pick_place``; besides ``minutes``, ``scenes`` (how many take turns) and ``json``.
        interrupted: whether the user wants it to end; what was measured until then is reported all the same.
    Raises:
        WmError: an option, the bundle or the configuration is not usable.
    """

    def __init__(self, arguments: argparse.Namespace, interrupted: Callable[[], bool]) -> None:
        if not 0.0 < arguments.minutes < math.inf:
            raise ConfigError(f"--minutes {arguments.minutes} must be positive")
        if arguments.scenes < 1:
            raise ConfigError(f"--scenes {arguments.scenes} must be at least 1")
        if arguments.json is not None:
            results.check_writable(arguments.json)
        super().__init__(arguments, interrupted)
        self._episodes: list[Episode] = []
        self._memory: dict[str, list[tuple[float, float]]] = {}
        self._sampled_s = -math.inf
        #: When a hold is nobody's fault: from the end of an episode to the first plan of the next.
        self._between_s: list[tuple[float, float]] = []
        self._encoded: list[float] = []
        self._resumed_s = -math.inf

    def _act(self, folder: Path, goal: Path) -> Outcome:
        seeds = [self._arguments.seed + k for k in range(self._arguments.scenes)]
        pictures = {seeds[0]: goal, **{seed: folder / f"goals_{seed}" for seed in seeds[1:]}}
        for seed in seeds[1:]:
            self._record_goals(folder, seed, pictures[seed])
        self._recorder = Recorder(TARGET_TOPIC, ARM_TOPIC, self._controller.base_frame)
        self._reset = self._monitor.create_publisher(Int64, "sim/reset", qos.COMMAND)
        self._goals = self._monitor.create_publisher(Image, "goal/image", qos.GOALS)
        self._monitor.create_subscription(Image, "goal/latent", self._on_goal_latent, qos.GOALS)
        self._executor.add_node(self._recorder)
        self._pids = proc.nodes(os.getpid())
        self._monitor.begin(NoFilm())
        self._acting_since_s = time.monotonic()
        until_s = self._acting_since_s + 60.0 * self._arguments.minutes
        self._between_s.append((time.time(), math.inf))
        self._ask("start")
        early: Outcome | None = None
        files = [folder / "soak.json", *([] if self._arguments.json is None else [self._arguments.json])]
        while early is None and time.monotonic() < until_s:
            seed = seeds[len(self._episodes) % len(seeds)]
            try:
                if self._episodes:
                    self._lay_out(seed, pictures[seed])
                self._episode(seed, until_s)
                for path in files:
                    results.write_json(path, {"episodes": self._episodes_so_far()})
                early = self._end_early()
            except WmError as error:  # what was measured until now is reported all the same
                early = self._end_early() or Outcome(EXIT_CANNOT_RUN, str(error))
        self._ended_s = time.time()
        unstopped = self._halt()  # to look at an hour of it takes seconds, in which nobody would watch the arm
        if early is None and unstopped:
            early = Outcome(EXIT_CANNOT_RUN, unstopped)
        report = self._report()
        self._line.end(*summary(report))
        lost = []
        for path in files:
            try:
                results.write_json(path, report)
            except WmError as error:
                lost.append(str(error))
        if lost:
            return Outcome(EXIT_CANNOT_RUN, "; ".join(([early.sentence] if early else []) + lost))
        failures = judge(report)
        sentence = "; ".join(failures) if failures else "all within the limits"
        return early or Outcome(EXIT_NOT_PLACED if failures else EXIT_PLACED, sentence)

    def _episodes_so_far(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(episode) for episode in self._episodes]

    # --- one episode --------------------------------------------------------------------------------------------------
    def _episode(self, seed: int, until_s: float) -> None:
        """From the first plan of this set of goals to the planner's "done"."""
        monitor, began_s = self._monitor, time.monotonic()
        if not self._wait(lambda: monitor.mode == "running" and not monitor.done, RESTART_WITHIN_S):
            raise WmError(f"episode {len(self._episodes) + 1} did not begin: {monitor.reason}")
        self._between_s[-1] = self._between_s[-1][0], time.time()
        first_hold = len(self._recorder.record.modes)
        limit_s = min(self._arguments.max_seconds, until_s - time.monotonic())
        done = self._wait(lambda: monitor.done, limit_s)
        if not done and time.monotonic() >= until_s:
            return  # the time is up in the middle of an episode; it is no result
        ended_s = time.time() - REPORTED_S
        self._between_s.append((ended_s, math.inf))
        self._wait(lambda: monitor.placed is True, SETTLE_S)
        modes = self._recorder.record.modes[first_hold:]
        holds = tuple(mode.reason for mode in modes if mode.mode not in AS_ASKED and mode.stamp_s < ended_s)
        distance_m = math.nan if monitor.scene is None else monitor.scene.goal_distance_m
        self._episodes.append(Episode(seed, monitor.placed is True, time.monotonic() - began_s, distance_m, holds))

    def _lay_out(self, seed: int, pictures: Path) -> None:
        """What a person does between two episodes. The arm stays where it is."""
        monitor, ended = self._monitor, self._monitor.done
        if not ended:
            self._ask("stop")
        elif not self._wait(lambda: monitor.mode in ("idle", *LATCHED), END_S):
            raise WmError(f"the controller did not end the run within {END_S:g} s: {monitor.mode}: {monitor.reason}")
        stopped_s = time.monotonic()
        if ended and monitor.mode != "idle":  # stopped while it came to its end: then resume leads to idle
            self._resume(stopped_s)
            self._wait(lambda: monitor.mode == "idle", END_S)
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
            self._ask("start")
        else:
            self._resume(stopped_s)

    def _resume(self, stopped_s: float) -> None:
        """Resume, not too soon after the stop at ``stopped_s``."""
        again = stopped_s - self._resumed_s < RESUME_SILENCE_S + SLACK_S
        self._watch((RESUME_SILENCE_S if again else RESUME_QUIET_S) + SLACK_S - (time.monotonic() - stopped_s))
        self._trigger("resume")
        self._resumed_s = time.monotonic()

    def _use_goals(self) -> None:
        """Have the planner take the new goals; their latents may reach it later than us, so it is asked again."""
        until_s = time.monotonic() + GOALS_WITHIN_S
        while True:
            try:
                self._trigger("planner/use_goals")
                return
            except WmError:
                if time.monotonic() > until_s or self._interrupted():
                    raise
            self._watch(SPIN_S)

    def _on_goal_latent(self, msg: Image) -> None:
        self._encoded.append(convert.stamp_to_s(msg.header.stamp))

    def _record_goals(self, folder: Path, seed: int, pictures: Path) -> None:
        """Let the expert act in another scene, in a process of its own that has ended before anything is measured."""
        self._line.show(f"the expert shows scene {seed}", seed)
        words = ["goals", "--seed", seed, "--count", self._arguments.goals, "--output", pictures]

        def interrupted() -> bool:
            self._spin(0.0)  # the graph is up: who looks after it must be heard
            return self._interrupted()

        with Processes(folder / "log") as processes:
            processes.run(f"goals_{seed}", [sys.executable, "-m", "wm_bringup.cli", *map(str, words)], interrupted)

    def _wait(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it becomes true before the time is up or a node dies. Memory is sampled meanwhile."""

        def over() -> bool:
            if time.monotonic() - self._sampled_s >= SAMPLE_S:
                self._sample()
            return true() or self._processes.ended() is not None

        return self._watch(timeout_s, over) and self._processes.ended() is None

    def _sample(self) -> None:
        self._sampled_s = time.monotonic()
        at_s = self._sampled_s - self._acting_since_s
        for name, pid in self._pids.items():
            if (memory_mb := proc.rss_mb(pid)) is not None:
                self._memory.setdefault(name, []).append((at_s, memory_mb))
        placed = sum(episode.placed for episode in self._episodes)
        text = f"{at_s / 60.0:.1f} of {self._arguments.minutes:g} min  {placed} of {len(self._episodes)} placed"
        self._line.show(f"{text}  {self._monitor.line}", len(self._episodes))

    # --- the end ------------------------------------------------------------------------------------------------------
    def _report(self) -> dict[str, Any]:
        record, acting_s = self._recorder.record, time.monotonic() - self._acting_since_s
        sent_s = record.sent.table[:, 0]
        warm_s = min(WARM_UP_S, WARM_UP_SHARE * acting_s)
        began_s = record.targets.table[0, 0] if len(record.targets) else 0.0
        holds = [mode for mode in record.modes if mode.mode not in AS_ASKED and mode.stamp_s < self._ended_s]
        unexplained = [mode for mode in holds if not any(a <= mode.stamp_s <= b for a, b in self._between_s)]
        return {
            "minutes": acting_s / 60.0,
            "episodes": self._episodes_so_far(),
            "placed": sum(episode.placed for episode in self._episodes),
            "memory": {
                name: {
                    "growth_percent": timing.growth_percent(samples, warm_s),
                    "first_mb": next(mb for at_s, mb in samples if at_s >= warm_s or at_s == samples[-1][0]),
                    "last_mb": samples[-1][1],
                    "samples": samples,
                }
                for name, samples in self._memory.items()
            },
            "commands": timing.jitter(sent_s, DEADLINE_S, idle(record.modes)),
            "latency": timing.latency(record.plans.table, sent_s),
            "holds": dict(Counter(_kind(mode.reason) for mode in holds)),
            "unexplained_holds": [
                f"{mode.stamp_s - began_s:.2f} s: {mode.mode}: {mode.reason}" for mode in unexplained
            ],
            "violations": violations(record, self._controller.limits, began_s),
        }


def idle(modes: Sequence[Mode]) -> list[tuple[float, float]]:
    """From when to when (s) nothing is commanded, because the one run has ended and the next not begun."""
    ends = [*(mode.stamp_s for mode in modes), math.inf][1:]
    return [(mode.stamp_s, end_s) for mode, end_s in zip(modes, ends, strict=True) if mode.mode == "idle"]


def _kind(reason: str) -> str:
    """A reason without its numbers, so that like holds are counted together."""
    return "".join("#" if c.isdigit() else c for c in reason)


def judge(report: dict[str, Any]) -> list[str]:
    """What is not within its limit, one sentence each."""
    failures = []
    for name, memory in report["memory"].items():
        if not memory["growth_percent"] < GROWTH_PERCENT:
            failures.append(f"the memory of {name} grew by {memory['growth_percent']:.1f} %")
    if not report["commands"]["p999_ms"] <= 1e3 * DEADLINE_S:
        failures.append(f"p99.9 of the command intervals is {report['commands']['p999_ms']:.1f} ms")
    if report["unexplained_holds"]:
        failures.append(f"{len(report['unexplained_holds'])} unexplained holds")
    if report["violations"]:
        failures.append(f"violations: {report['violations']}")
    if not report["episodes"]:
        failures.append("no episode came to its end")
    return failures


def summary(report: dict[str, Any]) -> list[str]:
    """All figures for people, as a few lines."""
    commands, latency = report["commands"], report["latency"]
    lines = [
        f"{len(report['episodes'])} episodes in {report['minutes']:.1f} min, {report['placed']} placed",
        "commands: every {p50_ms:.1f} ms, p99 {p99_ms:.1f}, p99.9 {p999_ms:.1f}, max {max_ms:.1f}; "
        "{missed} of {intervals} missed the deadline".format(**commands),
        "frame to plan: p50 {frame_to_plan_p50_ms:.0f} ms, p99 {frame_to_plan_p99_ms:.0f}; to the first command: p50 "
        "{frame_to_first_command_p50_ms:.0f} ms, p99 {frame_to_first_command_p99_ms:.0f}".format(**latency),
    ]
    for name, memory in report["memory"].items():
        lines.append(f"memory of {name}: {memory['last_mb']:.1f} MB, {memory['growth_percent']:+.2f} %")
    holds = report["unexplained_holds"]
    lines += [f"unexplained hold at {hold}" for hold in holds[:SHOWN_HOLDS]]
    lines += [f"and {len(holds) - SHOWN_HOLDS} more"] if len(holds) > SHOWN_HOLDS else []
    return [*lines, f"violations: {report['violations'] if report['violations'] else 'none'}"]
