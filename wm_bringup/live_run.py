"""One live run: a graph is brought up, something is done with it, and it is taken down again.

What a run is made of is put together by whoever wants one: a :class:`RunConfig`, what is done with the graph once it is
up and idle (``act``: finish a task, do a fault, go on for hours), observers that leave something behind (observers.py),
and who starts the nodes (:class:`Starter`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rclpy.executors import SingleThreadedExecutor
from rclpy.utilities import try_shutdown

from wm_controller.node_config import ControllerNodeConfig
from wm_core import parameters, reports, results, topics
from wm_core.errors import WmError
from wm_ros.run import begin_ros
from wm_ros.voices import UNKNOWN

from . import graph, paths
from .cli import EXIT_CANNOT_RUN
from .monitor import Monitor
from .observers import Observer
from .processes import NO_LOG_FILES, Processes
from .run_config import RunConfig
from .terminal import Interrupts, LiveLine, complain, status_of

DISCOVERY_S = 1.0
READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 3.0
#: After the planner says "done" the gripper may still be opening and the cube settling.
SETTLE_S = 2.0
SPIN_S = 0.05
#: For a heartbeat to reach the controller, and its next look at it, which comes ten times a second.
HEARTBEAT_HEARD_S = 0.3


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the exit status of its command, and a sentence.

    ``placed`` is None where nobody can tell, as on a real arm.
    """

    status: int
    sentence: str
    placed: bool | None = None


class Starter:
    """Who starts the nodes: this process. ``beats``: the controller moves the arm only as long as it watches."""

    beats = True

    def prepare(self, declared: graph.Graph) -> graph.Graph:
        """The graph as it is to be started."""
        return declared

    def start(self, run: LiveRun) -> None:
        """Start the nodes of ``run.graph``."""
        for spec in run.graph.nodes:
            run.processes.start_node(spec)


def never() -> bool:
    """For a wait that only its time ends."""
    return False


class LiveRun:
    """See the module. Made, it has checked all that can be checked without starting a process; :meth:`run` does it.

    Args:
        config: what runs.
        interrupted: whether the user wants it to end.
        act: does something with the graph, which is up and idle, and says how it ended.
        observers: what watches; the last of them is told last how it ended.
        starter: who starts the nodes.
        line: where progress is shown.

    Attributes:
        controller: the configuration of the graph's controller.
        graph, folder, goal, monitor, processes, executor: there once it runs; ``folder`` is for what it leaves behind,
            ``goal`` holds the goal pictures.

    Raises WmError if the configuration is not usable.
    """

    graph: graph.Graph
    folder: Path
    goal: Path
    monitor: Monitor
    processes: Processes
    executor: SingleThreadedExecutor

    def __init__(
        self,
        config: RunConfig,
        interrupted: Callable[[], bool],
        act: Callable[[LiveRun], Outcome],
        observers: Sequence[Observer] = (),
        starter: Starter | None = None,
        line: LiveLine | None = None,
    ) -> None:
        self.config, self.interrupted, self.observers = config, interrupted, observers
        self.line = LiveLine() if line is None else line
        self._act, self._starter = act, Starter() if starter is None else starter
        self._started = False  # whether the arm may move
        self._began_s = time.monotonic()
        self._acting_since_s: float | None = None
        self._ended_s: float | None = None
        declared = config.graph(Path("goals"))
        for note in declared.notes:
            complain(note)
        spec = next(spec for spec in declared.nodes if spec.name == topics.CONTROLLER)
        given = {key: value for key, value in spec.parameters.items() if key != "use_sim_time"}  # which is of ROS
        self.controller: ControllerNodeConfig = parameters.build(ControllerNodeConfig, given, topics.CONTROLLER)

    @property
    def wall_s(self) -> float:
        """How long the run has taken until now."""
        return time.monotonic() - self._began_s

    @property
    def acting_s(self) -> float:
        """How long it has been acting, to its end; 0 before that."""
        until_s = time.monotonic() if self._ended_s is None else self._ended_s
        return 0.0 if self._acting_since_s is None else until_s - self._acting_since_s

    def run(self) -> Outcome:
        """Run to the end. Raises WmError if it could not be begun."""
        self.folder = paths.new_run_folder(self.config.runs)
        # Written first, so that a folder that takes no results is found before anything moves.
        summary = reports.RunSummary(None, "wm ended before the run did")
        results.write_json(self.folder / "summary.json", reports.as_dict(summary))
        self.goal = self.folder / "goals" if self.config.goal is None else self.config.goal
        self.graph = self._starter.prepare(self.config.graph(self.goal))
        begin_ros(list(NO_LOG_FILES))
        self.executor = SingleThreadedExecutor()
        try:
            names = [spec.name for spec in self.graph.nodes]
            self.monitor = Monitor(names, self.controller, self.config.mode != "real", self._starter.beats)
            self.executor.add_node(self.monitor)
            if isinstance(self.interrupted, Interrupts):
                self.interrupted.around_suspend = self._suspend
            with Processes(self.folder / "log") as self.processes:
                try:
                    outcome = self._bring_up() or self._act(self)
                except WmError as error:
                    outcome = Outcome(EXIT_CANNOT_RUN, str(error))
                finally:
                    self.halt()  # whatever it is that ends the run, the arm is at rest before the nodes end
            return self._conclude(outcome)
        finally:
            for node in self.executor.get_nodes():
                node.destroy_node()  # a campaign's next run would still find it in the graph
            try_shutdown()

    # --- before and after ---------------------------------------------------------------------------------------------
    def _bring_up(self) -> Outcome | None:
        """From nothing to a graph that is ready and idle; an outcome only if it does not come to that."""
        self.wait(never, DISCOVERY_S, meanwhile=lambda: self._others([]))
        if self.graph.prepare:
            self.line.show("the expert shows the goal", "prepare")
            command = [sys.executable, "-m", "wm_bringup.cli", *self.graph.prepare]
            self.processes.run("goals", command, self.interrupted)
            self.wait(lambda: not self._others([]), DISCOVERY_S)  # somebody may have begun meanwhile
        if self.interrupted():
            return self.ended_early()
        self.monitor.begin_to_beat()
        self._starter.start(self)
        ours = [spec.name for spec in self.graph.nodes]
        # A rival may be discovered late, and with it our own nodes: both questions are asked all the time.
        if self.wait(
            lambda: not (self._others(ours) or self.monitor.not_ready()), READY_TIMEOUT_S, None, self._starting
        ):
            return None
        lacks = self.monitor.not_ready() or self.monitor.rivals(ours)
        not_ready = Outcome(EXIT_CANNOT_RUN, f"the graph was not ready within {READY_TIMEOUT_S:g} s: {lacks}")
        return self.ended_early() or not_ready

    def _starting(self) -> None:
        self.line.show(f"starting: {(why := self.monitor.not_ready())}", why)

    def _others(self, ours: Sequence[str]) -> str:
        """Who besides our nodes, named ``ours``, may command an arm on this domain, as far as is known; "" if nobody.

        Raises WmError if somebody surely does.
        """
        rival = self.monitor.rivals(ours)
        if rival and UNKNOWN not in rival:
            raise WmError(f"{rival}; end that program, or choose another ROS_DOMAIN_ID")
        return rival

    def _conclude(self, outcome: Outcome) -> Outcome:
        """Let all observers end. One that cannot ends the run as "could not", and takes no other with it."""
        self._ended_s = time.monotonic()
        for observer in self.observers:
            try:
                observer.end(self, outcome)
            except Exception as error:
                mark = "; " if "; but the " in outcome.sentence else "; but "
                said = f"{outcome.sentence}{mark}the {observer.leaves} is lost: {error}"
                outcome = replace(outcome, status=EXIT_CANNOT_RUN, sentence=said)
        return outcome

    # --- for whoever acts ---------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """From now on the run is recorded: the arm is about to move."""
        self._acting_since_s = time.monotonic()
        self.monitor.begin()
        for observer in self.observers:
            observer.begin(self)

    def look(self) -> None:
        """Let all observers look; for the ``meanwhile`` of a wait."""
        for observer in self.observers:
            observer.look(self)

    def spin(self, timeout_s: float = SPIN_S) -> None:
        """Take one message, and tell the controller that we watch."""
        self.monitor.beat()
        self.executor.spin_once(timeout_sec=timeout_s)

    def wait(
        self,
        true: Callable[[], bool],
        timeout_s: float,
        unless: Callable[[], bool] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> bool:
        """Spin until ``true()``; False if its time is up before that, or ``unless()``.

        ``unless`` is None for :meth:`over`. ``meanwhile`` is called after each message.
        """
        unless, until_s = self.over if unless is None else unless, time.monotonic() + timeout_s
        while not unless() and (left_s := until_s - time.monotonic()) > 0.0:
            self.spin(min(left_s, SPIN_S))
            if true():
                return True
            meanwhile()
        return False

    def over(self) -> bool:
        """Whether the user has stopped the run, or a node has died."""
        return self.interrupted() or self.processes.ended() is not None

    def ended_early(self) -> Outcome | None:
        """The outcome if a node has died or the user has stopped the run."""
        if (ended := self.processes.ended()) is not None:
            held = "" if self._acting_since_s is None else "; the arm holds where it was"
            return Outcome(EXIT_CANNOT_RUN, f"{ended}{held}")
        return Outcome(status_of(self.interrupted), "stopped by the user") if self.interrupted() else None

    def call(self, service: str) -> str:
        """Call a Trigger service; the message of its answer. Raises WmError if it refuses or does not come.

        The user's wish to stop does not keep it from being heard: it may be the stop itself.
        """

        def dead() -> bool:
            return self.processes.has_ended(topics.CONTROLLER)

        self.wait(self.monitor.client(service).service_is_ready, ANSWER_TIMEOUT_S, dead)
        answer = self.monitor.call(service)
        if not (answer.done() or self.wait(answer.done, ANSWER_TIMEOUT_S, dead)):
            raise WmError(f"'{service}' was not answered within {ANSWER_TIMEOUT_S:g} s")
        if not answer.result().success:
            raise WmError(f"'{service}' was refused: {answer.result().message}")
        return str(answer.result().message)

    def start(self) -> None:
        """Start the controller; from now on the arm may move. Raises WmError as :meth:`call`."""
        self._started = True
        self.wait(never, HEARTBEAT_HEARD_S, never)  # we may have looked at something else until now
        self.call(topics.START)

    def stop(self) -> Outcome | None:
        """Stop the arm; an outcome if the run has ended before its time. Raises WmError if nothing else was wrong."""
        early = self.ended_early()
        try:
            self.call(topics.STOP)
            self._started = False
        except WmError:
            if early is None:
                raise
        return early

    def halt(self) -> str:
        """Stop the arm if it may move, and never fail; why it could not be stopped, "" if it is or need not."""
        if not self._started or self.processes.has_ended(topics.CONTROLLER):
            return ""
        try:
            self.call(topics.STOP)
        except Exception as error:  # an executor that fell is no reason to leave this way out
            return str(error)
        return ""

    def _suspend(self, suspend: Callable[[], None]) -> None:
        """Ctrl-Z: the arm comes to rest first, and stays there until a person resumes it; time goes on meanwhile."""
        failed = self.halt()
        still = failed if failed else "the arm is stopped" if self._started else "nothing has been started yet"
        self.line.end(f"suspended; {still}")
        suspend()
        self.line.end(f"continued; {still}" + ("; call resume to go on" if self._started else ""))
