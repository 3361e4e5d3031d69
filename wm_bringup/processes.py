"""Child processes that never outlive this one: each in its own session, watched, ended in order."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import yaml

from wm_core import parameters
from wm_core.errors import WmError
from wm_core.topics import CONTROLLER

from . import lifeline
from .graph import NodeSpec, node_environment

#: How long a node may take to end after SIGINT, and then after SIGTERM, before it is killed.
INTERRUPT_GRACE_S = 3.0
TERMINATE_GRACE_S = 1.0
POLL_S = 0.02
#: ROS would write another log file for each process into ~/.ros; what a node says is in <name>.log already.
NO_LOG_FILES = ("--ros-args", "--disable-external-lib-logs")


@dataclass(frozen=True)
class Ended:
    """A child that ended: its name, its status (negative: the signal that killed it), and its last sentence."""

    name: str
    status: int
    sentence: str
    log: Path

    def __str__(self) -> str:
        if self.status < 0:
            return f"{self.name} was killed by {signal.Signals(-self.status).name}"
        if self.status == 2 and self.sentence:
            return f"{self.name} cannot run: {self.sentence}"
        return f"{self.name} ended with status {self.status}; see {self.log}"


class Processes:
    """Use as a context manager: whatever happens inside, no child is left when it ends.

    Children must be started from a thread that lives as long as they shall: the kernel counts the end of that thread
    as the end of their parent.

    Args:
        logs: folder for ``<name>.log``, which gets what the child prints.
        wait: called again and again while a child is waited for; it returns soon.
    """

    def __init__(self, logs: Path, wait: Callable[[], None] = lambda: time.sleep(POLL_S)) -> None:
        self._logs, self._wait = logs, wait
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        with _writing(logs):
            logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start ``command``, whose first word is a path. Its session is its own: a Ctrl-C here does not reach it.

        ``environment`` is None for ours.
        """
        # The controller is not killed when we are gone, but told to end, so that the arm comes to rest.
        last = signal.SIGTERM if name == CONTROLLER else signal.SIGKILL
        guard = [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), str(int(last))]
        with _writing(self._logs), open(self._logs / f"{name}.log", "wb") as log:
            self._children[name] = subprocess.Popen(
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
            )

    def start_node(self, spec: NodeSpec) -> None:
        """Start a node; its parameters go by file, so that types survive and the run can be repeated from them."""
        environment = {**os.environ, **node_environment(spec, os.environ)}
        self.start(spec.name, node_command(spec, self._logs), environment)

    def pid(self, name: str) -> int:
        """Process id of a child that was started."""
        return self._children[name].pid

    def ended(self) -> Ended | None:
        """A child that has ended, if there is one."""
        for name, child in self._children.items():
            status = _status(child)
            if status is not None:
                log = self._logs / f"{name}.log"
                return Ended(name, status, _last_sentence(log), log)
        return None

    def has_ended(self, name: str) -> bool:
        """Whether this child has ended; not if it is none of ours."""
        return name in self._children and _status(self._children[name]) is not None

    def run(self, name: str, command: Sequence[str], interrupted: Callable[[], bool]) -> None:
        """Run a command to its end, or until ``interrupted``. Raises WmError if it fails."""
        self.start(name, command)
        while not interrupted():
            if (ended := self.ended()) is not None:
                del self._children[ended.name]
                if ended.status != 0:
                    raise WmError(str(ended))
                return
            self._wait()

    def stop(self) -> None:
        """End all children: SIGINT, then SIGTERM, then SIGKILL; returns when the last one is gone."""
        for number, grace_s in (
            (signal.SIGINT, INTERRUPT_GRACE_S),
            (signal.SIGTERM, TERMINATE_GRACE_S),
            (signal.SIGKILL, TERMINATE_GRACE_S),
        ):
            running = [child for child in self._children.values() if _status(child) is None]
            for child in running:
                _signal_group(child.pid, number)
            until_s = time.monotonic() + grace_s
            while any(_status(child) is None for child in running) and time.monotonic() < until_s:
                self._wait()
        self._children.clear()


def node_command(spec: NodeSpec, folder: Path) -> list[str]:
    """The words that start a node; its parameters are written into ``folder``. Raises WmError."""
    file = folder / f"{spec.name}.params.yaml"
    given = parameters.to_ros(spec.parameters)
    with _writing(file):
        file.write_text(yaml.safe_dump({"/**": {"ros__parameters": given}}), encoding="utf-8")
    remap = [f"__node:={spec.name}", *(f"{a}:={b}" for a, b in spec.remappings)]
    ros = [*NO_LOG_FILES, "--params-file", str(file), *(word for rule in remap for word in ("-r", rule))]
    return [sys.executable, "-m", spec.module, *ros]


def _status(child: subprocess.Popen[bytes]) -> int | None:
    """The child's exit status, None while it runs. Before its id is given back, what it left in its group is killed."""
    if child.returncode is None and os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        _signal_group(child.pid, signal.SIGKILL)
    return child.poll()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _last_sentence(log: Path) -> str:
    """What the child told the user last, by its log."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return sentence_in(text)


def sentence_in(text: str) -> str:
    """The last sentence for a user, as :func:`wm_ros.run.run_node` and :mod:`wm_bringup.cli` print it; "" if none."""
    said = re.findall(r"^(?:wm|\w+_node): (.+)$", text, re.MULTILINE)
    return str(said[-1]) if said else ""


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises WmError in place of an OSError."""
    try:
        yield
    except OSError as error:
        raise WmError(f"cannot write {path}: {error.strerror}; free the space or choose another place") from None
