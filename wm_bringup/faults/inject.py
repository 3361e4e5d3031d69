"""The ways in which a fault is done to a running graph. Each begins and ends at a time that it reports."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wm_bringup.graph import Graph, NodeSpec
from wm_bringup.processes import Processes
from wm_core.errors import WmError

from . import interposer_node
from .interposer_node import RIVAL, TOPICS, source, true_topic
from .keyboard import Keyboard

INTERPOSER = "interposer"
STARTS_WITHIN_S = 30.0
#: With this a program ends at once when it is told to; see lifeline.py.
HEARS_SIGINT = "import signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n"


class NotHere(WmError):
    """This machine lacks what the fault needs; the sentence says what."""


@dataclass(frozen=True)
class Site:
    """Where a fault is done.

    Attributes:
        pids: process ids of the graph's nodes by name.
        graph: what runs.
        command: the words that would start the same run once more.
        others: for processes of the fault's own; they end with it.
        folder: for their logs, and other files of the fault's own.
        launcher: process id of what started the graph, where that is not this program.
        keyboard: the other end of its terminal, where it has one.
        call: calls a Trigger service by name and returns the message of the answer.
        owners: how many publishers the topic of the targets has.
        wait: spins until something is true, at most for a time in s; whether it became true.
    """

    pids: dict[str, int]
    graph: Graph
    command: Sequence[str]
    others: Processes
    folder: Path
    launcher: int
    keyboard: Keyboard | None
    call: Callable[[str], str]
    owners: Callable[[], int]
    wait: Callable[[Callable[[], bool], float], bool]


class Injection(ABC):
    """One way to do harm.

    Attributes:
        under: who starts the graph in its run: "" this program; "wm" a ``wm pick_place`` on a terminal of its own;
            "launch" a program that starts the nodes and does no more, as ``ros2 launch`` does.
        false_stamps: whether stamps do not tell the time while it lasts.
    """

    under: ClassVar[str] = ""
    false_stamps: ClassVar[bool] = False

    def environment(self, folder: Path) -> dict[str, str]:
        """What the nodes need in their environment; files go into ``folder``. Raises NotHere."""
        return {}

    def prepare(self, graph: Graph) -> Graph:
        """The graph with what the fault needs in it from the start."""
        return graph

    @abstractmethod
    def begin(self, site: Site) -> float:
        """Do it. Returns the time, s."""

    def end(self, site: Site) -> float:
        """Undo it, as far as it can be undone. Returns the time, s."""
        site.others.stop()
        return time.time()

    def over(self, site: Site) -> bool:
        """Whether it has come to its end before its time."""
        return False

    def heard_at(self, topic: str) -> str:
        """Where the true messages of a topic of the graph are heard."""
        return topic

    def complaint(self, site: Site) -> str:
        """What of the fault's own processes is not as it should be; asked before :meth:`end`. "" if all is well."""
        return ""


@dataclass(frozen=True)
class Kill(Injection):
    """SIGKILL to a node: nothing can be said or done any more. It does not come back."""

    node: str

    def begin(self, site: Site) -> float:
        now_s = time.time()
        os.kill(site.pids[self.node], signal.SIGKILL)
        return now_s


@dataclass(frozen=True)
class Freeze(Injection):
    """SIGSTOP to a node, and SIGCONT at the end: a swapped-out or preempted process that comes back."""

    node: str

    def begin(self, site: Site) -> float:
        now_s = time.time()
        os.kill(site.pids[self.node], signal.SIGSTOP)
        return now_s

    def end(self, site: Site) -> float:
        now_s = time.time()
        os.kill(site.pids[self.node], signal.SIGCONT)
        return now_s


@dataclass(frozen=True)
class Alter(Injection):
    """An interposer on ``topic`` that alters its messages; see :mod:`wm_bringup.faults.alter`."""

    topic: str
    fault: str
    value: float = 0.0

    def prepare(self, graph: Graph) -> Graph:
        parameters = {"topic": self.topic, "fault": self.fault, "value": self.value}
        between = NodeSpec(INTERPOSER, interposer_node.__name__, parameters)
        speaker = "" if self.fault == RIVAL else source(TOPICS[self.topic])
        away = (self.topic, true_topic(self.topic))
        nodes = (
            dataclasses.replace(spec, remappings=(*spec.remappings, away)) if spec.name == speaker else spec
            for spec in graph.nodes
        )
        return dataclasses.replace(graph, nodes=(*nodes, between))

    def begin(self, site: Site) -> float:
        return float(site.call("fault/inject"))

    def end(self, site: Site) -> float:
        return float(site.call("fault/heal"))

    def heard_at(self, topic: str) -> str:
        """Where the true messages of a topic of the graph are heard."""
        return true_topic(topic) if topic == self.topic and self.fault != RIVAL else topic


@dataclass(frozen=True)
class Load(Injection):
    """Every core is busy with ``per_core`` other processes."""

    per_core: int = 2

    def begin(self, site: Site) -> float:
        now_s = time.time()
        for number in range(self.per_core * (os.cpu_count() or 1)):
            site.others.start(f"busy{number}", [sys.executable, "-I", "-S", "-c", f"{HEARS_SIGINT}while True: pass"])
        return now_s


@dataclass(frozen=True)
class SecondRun(Injection):
    """The same run is started once more on the same domain. It must refuse."""

    def begin(self, site: Site) -> float:
        now_s = time.time()
        site.others.start("second_run", site.command)
        return now_s

    def over(self, site: Site) -> bool:
        return site.others.ended() is not None

    def complaint(self, site: Site) -> str:
        ended = site.others.ended()
        if ended is None:
            return "the second run was not refused"
        text = ended.log.read_text(encoding="utf-8", errors="replace")
        return "" if ended.status == 2 and "already" in text else f"the second run: {ended}"


@dataclass(frozen=True)
class SecondController(Injection):
    """A second controller is started by hand, past all that ``wm`` checks. It begins when that one advertises."""

    def begin(self, site: Site) -> float:
        spec = next((spec for spec in site.graph.nodes if spec.name == "controller"), None)
        if spec is None:
            raise WmError("the graph has no controller")
        site.others.start_node(spec)
        if not site.wait(lambda: site.owners() > 1, STARTS_WITHIN_S):
            raise WmError("the second controller did not start")
        return time.time()
