"""One run of ``wm pick_place``: brings the graph up, starts it, watches, judges, and takes it down again."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from rclpy.executors import SingleThreadedExecutor
from rclpy.utilities import try_shutdown

from wm_controller.node_config import ControllerNodeConfig
from wm_controller.supervisor import LATCHED
from wm_core import parameters, results
from wm_core.errors import ConfigError, WmError
from wm_planner.goals import load_goals
from wm_ros.run import begin_ros
from wm_ros.voices import UNKNOWN

from . import bundles, graph, paths, report
from .cli import EXIT_CANNOT_RUN
from .monitor import Monitor
from .processes import NO_LOG_FILES, Processes
from .terminal import Interrupts, LiveLine, complain, status_of

EXIT_PLACED, EXIT_NOT_PLACED = 0, 1
DISCOVERY_S = 1.0
#: How many pictures the scripted expert takes of a scene (wm_sim/expert.py).
MOST_GOALS = 8
READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 3.0
#: After the planner says "done" the gripper may still be opening and the cube settling.
SETTLE_S = 2.0
SPIN_S = 0.05
#: For a heartbeat to reach the controller, and its next look at it, which comes ten times a second.
HEARTBEAT_HEARD_S = 0.3


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``placed`` is None where nobody can tell, as on a real arm."""

    status: int
    sentence: str
    placed: bool | None = None


class PickPlace:
    """Made, it has checked everything that can be checked without starting a process. See :meth:`run`.

    Raises:
        WmError: an option, the bundle, the goal folder or the configuration is not usable.
    """

    def __init__(self, arguments: argparse.Namespace, interrupted: Callable[[], bool]) -> None:
        self._arguments, self._interrupted = arguments, interrupted
        self._line = LiveLine()
        self._started = False  # whether the arm may move
        self._beats = True  # whether it may only as long as we watch
        self._began_s = time.monotonic()
        if not arguments.max_seconds > 0.0:
            raise ConfigError(f"--max-seconds {arguments.max_seconds} must be positive")
        if not 1 <= arguments.goals <= MOST_GOALS:
            raise ConfigError(f"--goals {arguments.goals} must be within 1..{MOST_GOALS}, which the expert shows")
        if arguments.mode == "real" and arguments.goal is None:
            raise ConfigError("a real arm needs --goal, a folder of goal pictures")
        self._bundle = bundles.chosen(arguments.model, arguments.mode).path
        if arguments.goal is not None:
            load_goals(arguments.goal, complain)
        self._settings = parameters.from_words(arguments.set)
        declared = self._graph(Path("goals"))
        for note in declared.notes:
            complain(note)
        controller = next(spec for spec in declared.nodes if spec.name == graph.CONTROLLER)
        of_ros = "use_sim_time"
        given = {key: value for key, value in controller.parameters.items() if key != of_ros}
        self._controller = parameters.build(ControllerNodeConfig, given, graph.CONTROLLER)

    def _graph(self, goal: Path) -> graph.Graph:
        arguments = self._arguments
        return graph.pick_place(
            arguments.mode,
            bundle=self._bundle.resolve(),
            goal=goal.resolve(),
            arm=arguments.arm,
            seed=arguments.seed,
            goals=arguments.goals,
            record_goal=arguments.goal is None,
            config=arguments.config,
            settings=self._settings,
            drop_guards=arguments.drop_guard,
            # By our life and heartbeat the controller may move the arm.
            launcher_pid=os.getpid(),
            launcher_heartbeat=True,
        )

    def run(self) -> int:
        """Run to the end. Returns the exit status; raises WmError if it could not run."""
        folder = paths.new_run_folder(self._arguments.runs)
        # Written first, so that a folder that takes no results is found before anything moves.
        results.write_json(folder / "summary.json", {"exit_status": None, "outcome": "wm ended before the run did"})
        goal = folder / "goals" if self._arguments.goal is None else self._arguments.goal
        declared = self._graph(goal)
        begin_ros(list(NO_LOG_FILES))
        self._executor = SingleThreadedExecutor()
        try:
            names = [spec.name for spec in declared.nodes]
            self._monitor = Monitor(names, self._controller, self._arguments.mode != "real", self._beats)
            self._executor.add_node(self._monitor)
            if isinstance(self._interrupted, Interrupts):
                self._interrupted.around_suspend = self._suspend
            with Processes(folder / "log") as self._processes:
                try:
                    outcome = self._bring_up(declared) or self._act(folder, goal)
                except WmError as error:
                    outcome = Outcome(EXIT_CANNOT_RUN, str(error))
                finally:
                    self._halt()  # whatever it is that ends the run, the arm is at rest before the nodes end
            outcome = self._conclude(folder, outcome)
            return outcome.status
        finally:
            for node in self._executor.get_nodes():
                node.destroy_node()  # a campaign's next run would still find it in the graph
            try_shutdown()

    # --- the three parts of a run -------------------------------------------------------------------------------------
    def _bring_up(self, declared: graph.Graph) -> Outcome | None:
        """From nothing to a graph that is ready and idle; an outcome only if it does not come to that."""
        since_s = time.monotonic()
        self._spin_until(lambda: self._alone([]) and time.monotonic() - since_s >= DISCOVERY_S, DISCOVERY_S)
        if declared.prepare:
            self._line.show("the expert shows the goal", "prepare")
            command = [sys.executable, "-m", "wm_bringup.cli", *declared.prepare]
            self._processes.run("goals", command, self._interrupted)
            if self._interrupted():
                return self._end_early()
            self._spin_until(lambda: self._alone([]), DISCOVERY_S)  # somebody may have begun meanwhile
        self._monitor.begin_to_beat()
        self._start_nodes(declared)
        ours = [spec.name for spec in declared.nodes]
        # A rival may be discovered late, and with it our own nodes: both questions are asked all the time.
        if self._spin_until(lambda: self._alone(ours) and not self._monitor.not_ready(), READY_TIMEOUT_S, "starting"):
            return None
        if (early := self._end_early()) is not None:
            return early
        return Outcome(
            EXIT_CANNOT_RUN,
            f"the graph was not ready within {READY_TIMEOUT_S:g} s: "
            f"{self._monitor.not_ready() or self._monitor.rivals(ours)}",
        )

    def _start_nodes(self, declared: graph.Graph) -> None:
        for spec in declared.nodes:
            self._processes.start_node(spec)

    def _act(self, folder: Path, goal: Path) -> Outcome:
        """Start the controller and watch until the planner is done, time is up, a node dies, or the user stops it."""
        monitor = self._monitor
        self._acting_since_s = time.monotonic()
        monitor.begin(report.Film(folder / "run.mp4", load_goals(goal)))
        self._ask("start")
        self._spin_until(lambda: monitor.done, self._arguments.max_seconds, "acting")
        if monitor.done:
            self._spin_until(lambda: monitor.placed is not False, SETTLE_S, "settling")
        held = f"; the controller is {monitor.mode}: {monitor.reason}" if monitor.mode in LATCHED else ""
        if (early := self._stop()) is not None:
            return early
        if (scene := monitor.scene) is None:
            if monitor.reached:
                return Outcome(EXIT_PLACED, "the last goal was reached")
            why = "the planner gave it up" if monitor.done else "time was up"
            return Outcome(EXIT_NOT_PLACED, f"the last goal was not reached: {why}{held}")
        where = f"the cube is {100.0 * scene.goal_distance_m:.1f} cm from its goal"
        if scene.placed:
            return Outcome(EXIT_PLACED, f"placed: {where}", True)
        return Outcome(EXIT_NOT_PLACED, f"not placed: {where}{held}", False)

    def _conclude(self, folder: Path, outcome: Outcome) -> Outcome:
        """Write what the run leaves behind, and say how it ended. What cannot be written ends it as "could not"."""
        monitor, now_s = self._monitor, time.monotonic()
        acting_s = now_s - self._acting_since_s if monitor.film is not None else 0.0
        scene, status = monitor.scene, monitor.status
        summary: dict[str, Any] = {
            "exit_status": outcome.status,
            "outcome": outcome.sentence,
            "placed": outcome.placed,
            "seed": self._arguments.seed if self._arguments.mode != "real" else None,
            "bundle": self._bundle.name,
            "wall_s": round(now_s - self._began_s, 2),
            "acting_s": round(acting_s, 2),
            "goal_distance_m": None if scene is None else scene.goal_distance_m,
            "done": monitor.done,
            "reached": monitor.reached,
            "subgoal": None if status is None else status.subgoal,
            "subgoals": None if status is None else status.subgoals,
            "goals": [] if status is None else status.goals,
            **report.statistics(monitor.rows),
            "commands": monitor.envelope.commands,
            "violations": {**monitor.envelope.counts, "step": monitor.long_steps},
            "holds": monitor.holds,
            "ignored_messages": dict(monitor.bad),
            "nodes": {name: health.values for name, health in sorted(monitor.health.items())},
        }
        plot, title = folder / "energy.png", f"{self._bundle.name}: {outcome.sentence}"
        lost = []
        for what, write in (
            ("the summary", lambda: results.write_json(folder / "summary.json", summary)),
            ("the film", lambda: monitor.film.close() if monitor.film is not None else None),
            ("the plot", lambda: report.draw_energy(plot, monitor.rows, title) if monitor.rows else None),
        ):
            try:
                write()
            except Exception as error:  # none of them may take the others with it
                lost.append(f"{what} is lost: {error}")
        if lost:
            outcome = Outcome(EXIT_CANNOT_RUN, f"{outcome.sentence}; but {'; '.join(lost)}", outcome.placed)
            with contextlib.suppress(WmError):
                ended = {"exit_status": outcome.status, "outcome": outcome.sentence}
                results.write_json(folder / "summary.json", summary | ended)
        if outcome.status == EXIT_CANNOT_RUN:
            self._line.end(f"the logs are in {_shown(folder / 'log')}")
            complain(outcome.sentence)
        else:
            self._line.end(f"{outcome.sentence}  ({acting_s:.1f} s, {len(monitor.rows)} plans, {_shown(folder)})")
        if monitor.bad:
            ignored = ", ".join(f"{count} on {topic}" for topic, count in monitor.bad.items())
            complain(f"messages that could not be used were ignored: {ignored}")
        return outcome

    def _alone(self, ours: Sequence[str]) -> bool:
        """Whether nobody but our nodes, named ``ours``, commands an arm on this domain; False while that is not known.

        Raises WmError if somebody does.
        """
        rival = self._monitor.rivals(ours)
        if rival and UNKNOWN not in rival:
            raise WmError(f"{rival}; end that program, or choose another ROS_DOMAIN_ID")
        return not rival

    # --- helpers ------------------------------------------------------------------------------------------------------
    def _spin_until(self, true: Callable[[], bool], timeout_s: float, phase: str = "") -> bool:
        """Spin until ``true()``; False if before that time is up, a child ends or the user stops the run."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s and not self._interrupted() and self._processes.ended() is None:
            self._spin()
            if true():
                return True
            if phase == "starting":
                self._line.show(f"starting: {(why := self._monitor.not_ready())}", why)
            elif phase:
                status = self._monitor.status
                self._line.show(self._monitor.line, (status and status.subgoal, self._monitor.mode))
                self._show_window()
        return False

    def _spin(self, timeout_s: float = SPIN_S) -> None:
        """Take one message, and tell the controller that we watch."""
        self._monitor.beat()
        self._executor.spin_once(timeout_sec=timeout_s)

    def _ask(self, service: str) -> None:
        """Call a service of the controller and wait for its answer. Raises WmError if it refuses or does not come."""
        if service == "start":
            self._started = True
            heard_s = time.monotonic() + HEARTBEAT_HEARD_S  # we may have looked at something else until now
            while time.monotonic() < heard_s:
                self._spin()
        answer = self._monitor.call(service)
        until_s = time.monotonic() + ANSWER_TIMEOUT_S
        while not answer.done() and time.monotonic() < until_s and not self._processes.has_ended(graph.CONTROLLER):
            self._spin()
        if not answer.done():
            raise WmError(f"the controller did not answer '{service}' within {ANSWER_TIMEOUT_S:g} s")
        if not answer.result().success:
            raise WmError(f"the controller refused '{service}': {answer.result().message}")

    def _stop(self) -> Outcome | None:
        """Stop the arm; an outcome if the run has ended before its time. Raises WmError if nothing else was wrong."""
        early = self._end_early()
        try:
            self._ask("stop")
            self._started = False
        except WmError:
            if early is None:
                raise
        return early

    def _halt(self) -> str:
        """Stop the arm if it may move, and never fail; why it could not be stopped, "" if it is or need not."""
        if not self._started or self._processes.has_ended(graph.CONTROLLER):
            return ""
        try:
            self._ask("stop")
        except Exception as error:  # an executor that fell is no reason to leave this way out
            return str(error)
        return ""

    def _suspend(self, suspend: Callable[[], None]) -> None:
        """Ctrl-Z: the arm comes to rest first, and stays there until a person resumes it; time goes on meanwhile."""
        failed = self._halt()
        still = failed if failed else "the arm is stopped" if self._started else "nothing has been started yet"
        self._line.end(f"suspended; {still}")
        suspend()
        self._line.end(f"continued; {still}" + ("; call resume to go on" if self._started else ""))

    def _end_early(self) -> Outcome | None:
        """The outcome if a node has died or the user has stopped the run."""
        if (ended := self._processes.ended()) is not None:
            held = "; the arm holds where it was" if self._monitor.film is not None else ""
            return Outcome(EXIT_CANNOT_RUN, f"{ended}{held}")
        return Outcome(status_of(self._interrupted), "stopped by the user") if self._interrupted() else None

    def _show_window(self) -> None:
        if self._arguments.headless or self._monitor.latest_frame is None:
            return
        try:
            cv2.imshow("wm", cv2.resize(self._monitor.latest_frame[..., ::-1], (report.SIDE_PX, report.SIDE_PX)))
            cv2.waitKey(1)
        except cv2.error:
            raise WmError("this OpenCV cannot open windows; install opencv-python, or use --headless") from None


def _shown(folder: Path) -> str:
    """The folder as a person would type it here."""
    return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)
