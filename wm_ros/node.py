"""How a node of ours is made, what it takes from outside, and how it ends."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, Generic, TypeVar

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import InvalidParameterTypeException, NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from wm_core.errors import ConfigError, WmError, quoted

from . import params
from .clock import steady_s

T = TypeVar("T")

#: Exit status of a node that could not run and said why in one sentence.
EXIT_CANNOT_RUN = 2
#: What a node may be told in one message that is no image. A plan of 256 steps takes 25 kB, a robot's whole state 10.
MOST_BYTES = 256 * 1024
#: A signal is seen after at most this time; rcl's wait does not return for one.
SIGNAL_POLL_S = 0.05
#: Whoever sends a signal again after this time means it: a callback that hangs is interrupted.
IMPATIENT_S = 1.0
WARN_PERIOD_S = 2.0


class WmNode(Node, Generic[T]):
    """A node with a configuration, timers that nobody can set back, and ears that survive what they hear.

    Args:
        name: default name; a remapping may change it.
        config: dataclass of its parameters, see :func:`wm_ros.params.read`.

    Attributes:
        bad_messages: by topic, how many messages could not be used because a callback raised.
    """

    def __init__(self, name: str, config: type[T]) -> None:
        self.bad_messages: Counter[str] = Counter()
        self._warned_s: dict[str, float] = {}
        super().__init__(name)
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.config: T = params.read(self, config)
        self.add_on_set_parameters_callback(self._refuse_parameters)

    def now_s(self) -> float:
        """The node's ROS clock in seconds: what stamps are given in. It may be set, and a simulated one may stop."""
        return self.get_clock().now().nanoseconds * 1e-9

    def warn(self, sentence: str) -> None:
        """Log a warning; sentences that differ in no more than their numbers, at most once in WARN_PERIOD_S."""
        now_s, kind = steady_s(), re.sub(r"\d+", "0", sentence)
        if now_s - self._warned_s.get(kind, -math.inf) < WARN_PERIOD_S:
            return
        self._warned_s = {k: s for k, s in self._warned_s.items() if now_s - s < WARN_PERIOD_S} | {kind: now_s}
        self.get_logger().warning(sentence)

    def bad_message(self, topic: str, sentence: str) -> None:
        """A message on ``topic`` (as it was subscribed to) could not be used. To override where that matters."""
        self.warn(sentence)

    def close(self) -> None:
        """End threads and free devices. Called once, after the last callback and while messages can still be sent."""

    def suspended(self) -> None:
        """The process is about to be suspended (Ctrl-Z), for nobody knows how long."""

    def create_timer(  # type: ignore[override]
        self, timer_period_sec: float, callback: Callable[[], Any], *, clock: Clock | None = None, **more: Any
    ) -> Timer:
        """As rclpy's, but on the steady clock: a machine's clock may be set, and a simulated one may stand still."""
        clock = self.steady_clock if clock is None else clock
        return super().create_timer(timer_period_sec, callback, clock=clock, **more)

    def create_subscription(
        self,
        msg_type: Any,
        topic: str,
        callback: Callable[[Any], Any],
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        raw: bool = False,
        most_bytes: int | None = None,
        **more: Any,
    ) -> Subscription:
        """As rclpy's, but no message can end the node: it is counted, said and forgotten if the callback raises.

        ``most_bytes``: a longer message is refused before it is converted, which can take a second; None: MOST_BYTES,
        and any length for images.
        """
        limit = math.inf if msg_type in (Image, CompressedImage) else MOST_BYTES
        limit = limit if most_bytes is None else most_bytes

        def guarded(data: bytes) -> None:
            try:
                if len(data) > limit:
                    raise ValueError(f"it has {len(data)} bytes, more than {limit}")
                callback(data if raw else deserialize_message(data, msg_type))
            except Exception as error:
                self.bad_messages[topic] += 1
                what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                self.bad_message(topic, f"a message on {topic} cannot be used: {quoted(what, 200)[1:-1]}")

        return super().create_subscription(
            msg_type, topic, guarded, qos_profile, callback_group=callback_group, raw=True, **more
        )

    def _refuse_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        names = ", ".join(quoted(parameter.name) for parameter in changed[:3])
        return SetParametersResult(
            successful=False,
            reason=f"{names} cannot be changed while the node runs; change the configuration and start the node again",
        )


def json_to_msg(values: dict[str, Any]) -> String:
    """A small report as JSON; the topics that carry one say which keys it has. What is not finite becomes null."""
    return String(data=json.dumps(_finite(values), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def msg_to_json(msg: String) -> dict[str, Any]:
    """The report of a String. Raises ValueError if it is not a JSON object."""
    try:
        values = json.loads(msg.data)
    except RecursionError:
        raise ValueError("a report is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("a report must be a JSON object")
    return values


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
        self._ended_s = now_s if self._ended_s is None else self._ended_s
        if not self.spinning or now_s - self._ended_s > IMPATIENT_S:
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
    signals = Signals()
    node: WmNode[Any] | None = None
    try:
        _init(args)
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
            print(f"{name}: {error}", file=sys.stderr)
            return EXIT_CANNOT_RUN
    finally:
        signals.ignore()
        try:
            if node is not None:
                node.close()
                node.destroy_node()
        finally:
            rclpy.try_shutdown()
    return 0


def _init(args: list[str] | None) -> None:
    """rclpy.init; an argument that ROS cannot read raises ConfigError."""
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has several kinds, not all of them public
        said = str(error).removeprefix("failed to initialize rcl: ").split(", at /")[0]
        mixed = "same type" in said
        advice = "; ROS wants the numbers of a list alike: write 0.0 in place of 0" if mixed else ""
        raise ConfigError(f"the ROS arguments cannot be read: {quoted(said, 400)[1:-1]}{advice}") from None
