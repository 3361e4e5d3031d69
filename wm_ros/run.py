"""How a node of ours runs as a process, and every way in which it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from wm_core.errors import ConfigError, WmError, quoted

from .clock import steady_s
from .node import WmNode
from .output import never_wait_for_a_reader

#: Exit status of a node that could not run and said why in one sentence.
EXIT_CANNOT_RUN = 2
#: With a higher one Fast DDS has no port for its second participant, and ends the process.
MAX_DOMAIN_ID = 232
#: A signal is seen after at most this time; rcl's wait does not return for one.
SIGNAL_POLL_S = 0.05
#: Whoever sends a signal again after this time means it: a callback that hangs is interrupted.
IMPATIENT_S = 1.0


class Signals:
    """The signals that end or suspend a node. rclpy's own handlers would take the context away before the arm rests.

    While the node is made, which may take minutes, the first one interrupts; afterwards it is noted, and a callback is
    never torn apart, unless somebody insists.
    """

    #: Job control suspends: by a key (Ctrl-Z), or a process in the background that uses the terminal.
    SUSPENDING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    #: Left alone: what cannot be caught, what by default does nothing, and a fault of the process itself (abort, bad
    #: address, ...), after which nothing in it can be relied upon.
    ALONE = (
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH),
        *(signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP),
    )
    #: Every other signal ends a process that does not handle it, asked for (SIGINT, SIGTERM, SIGHUP, Ctrl-\) or by
    #: mistake (SIGUSR1, a timer, a limit of time): the arm is to rest all the same.
    ENDING = tuple(sorted(signal.valid_signals() - {*SUSPENDING, *ALONE}))

    def __init__(self) -> None:
        self.spinning = False
        self.suspend = False
        self._ended_s: float | None = None
        for number in (*self.ENDING, *self.SUSPENDING):
            # Who started the node with a signal ignored (nohup) meant it, as did whoever handles one already; a shell's
            # background jobs ignore SIGINT, and Python SIGPIPE and SIGXFSZ.
            free = signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)
            if free or number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._on_signal)

    @property
    def end(self) -> bool:
        return self._ended_s is not None

    def listen(self) -> None:
        """Take what was kept back while the packages were imported (wm_bringup/lifeline.py), and all from now on."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.ENDING)

    def ignore(self) -> None:
        """From now on nothing interrupts the way out."""
        for number in (*self.ENDING, *self.SUSPENDING):
            signal.signal(number, signal.SIG_IGN)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number in self.SUSPENDING:
            self.suspend = True
            if not self.spinning:
                self.stand_still()
            return
        now_s = steady_s()
        first = self._ended_s is None
        self._ended_s = now_s if self._ended_s is None else self._ended_s
        # A Ctrl-C reaches a node of ros2 launch twice: from the terminal, and from launch. Once is enough.
        if (first and not self.spinning) or now_s - self._ended_s > IMPATIENT_S:
            raise KeyboardInterrupt

    def stand_still(self) -> None:
        """Suspend this process, as these signals do where nobody handles them."""
        self.suspend = False
        os.kill(os.getpid(), signal.SIGSTOP)


def run_node(make: Callable[[], WmNode[Any]], args: list[str] | None = None) -> int:
    """Make a node and spin it in one thread until a signal ends it (Signals.ENDING). Returns the process's exit status.

    A WmError ends it with one sentence on standard error and status 2. Anything else is a bug and keeps its traceback.
    However it ends, ``close`` is called while the node can still speak.
    """
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    never_wait_for_a_reader()
    signals = Signals()
    node: WmNode[Any] | None = None
    try:
        signals.listen()
        begin_ros(args)
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        signals.spinning = True
        while not signals.end:
            if signals.suspend:
                node.suspended()
                signals.stand_still()
            executor.spin_once(timeout_sec=SIGNAL_POLL_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception as error:
        # A library whose loading was interrupted may report that as a failure of its own; it is the end asked for.
        if node is not None or not signals.end:
            if not isinstance(error, (WmError, NameValidationException, InvalidParameterTypeException)):
                raise
            with contextlib.suppress(OSError):  # nobody reads it
                print(f"{name}: {error}", file=sys.stderr)
            return EXIT_CANNOT_RUN
    finally:
        try:
            with contextlib.suppress(KeyboardInterrupt):  # of somebody who insisted just before
                signals.ignore()
            if node is not None:
                node.close()
                node.destroy_node()
        finally:
            try_shutdown()
    return 0


def begin_ros(args: list[str] | None = None) -> None:
    """rclpy.init without its signal handlers. Raises ConfigError on arguments or an environment that ROS cannot use."""
    domain = os.environ.get("ROS_DOMAIN_ID", "").strip()
    if domain and not (domain.isascii() and domain.isdecimal() and int(domain) <= MAX_DOMAIN_ID):
        raise ConfigError(f"ROS_DOMAIN_ID = {quoted(domain)} is no domain; give a number from 0 to {MAX_DOMAIN_ID}")
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has several kinds, not all of them public
        said = str(error).removeprefix("failed to initialize rcl: ").split(", at /")[0]
        if "failed to initialize logging" in said:
            raise ConfigError(f"ROS cannot begin its log: {quoted(said, 400)[1:-1]}; set HOME or ROS_LOG_DIR") from None
        secured = {name: value for name, value in os.environ.items() if name.startswith("ROS_SECURITY_")}
        if "parse" not in said and secured:
            raise ConfigError(f"ROS cannot start with {secured}: {said}; make the node's keys, or unset them") from None
        mixed = "same type" in said
        advice = "; ROS wants the numbers of a list alike: write 0.0 in place of 0" if mixed else ""
        raise ConfigError(f"the ROS arguments cannot be read: {quoted(said, 400)[1:-1]}{advice}") from None
