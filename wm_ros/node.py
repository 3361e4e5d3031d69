"""How a node of ours is made, and what it takes from outside. How it runs and ends: run.py."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from wm_core import reports
from wm_core.errors import WmError, quoted

from . import params
from .clock import steady_s

T = TypeVar("T")

#: What a node may be told in one message that is no image. A plan of 256 steps takes 25 kB, a robot's whole state 10.
MOST_BYTES = 256 * 1024
WARN_PERIOD_S = 2.0
#: The nodes of a graph do not all begin at once: for so long, a new one says nothing of what is not there "yet".
SETTLE_S = 5.0


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
        self._began_s = steady_s()
        super().__init__(name)
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.config: T = params.read(self, config)
        self.add_on_set_parameters_callback(self._refuse_parameters)

    def now_s(self) -> float:
        """The node's ROS clock in seconds: what stamps are given in. It may be set, and a simulated one may stop."""
        return self.get_clock().now().nanoseconds * 1e-9

    def warn(self, sentence: str) -> None:
        """Log a warning; sentences that differ in no more than their numbers, at most once in WARN_PERIOD_S.

        One with the word "yet", about what has never come, only SETTLE_S after the node began: say it again.
        """
        now_s, kind = steady_s(), reports.kind_of(sentence)
        if now_s - self._began_s < SETTLE_S and re.search(r"\byet\b", sentence):
            return
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
        callback: Callable[..., Any],
        qos_profile: QoSProfile | int,
        *,
        raw: bool = False,
        most_bytes: int | None = None,
        numbered: bool = False,
        **more: Any,
    ) -> Subscription:
        """As rclpy's, but no message can end the node: it is counted, said and forgotten if the callback raises.

        ``most_bytes``: a longer message is refused before it is converted, which can take a second; None: MOST_BYTES,
        and any length for images. ``numbered``: the callback also gets the number that the publisher gave the message,
        None where the middleware does not tell it (numbers.py).
        """
        limit = math.inf if msg_type in (Image, CompressedImage) else MOST_BYTES
        limit = limit if most_bytes is None else most_bytes

        def guarded(data: bytes, info: dict[str, Any]) -> None:
            try:
                if len(data) > limit:
                    raise ValueError(f"it has {len(data)} bytes, more than {limit}")
                message = data if raw else deserialize_message(data, msg_type)
                callback(message, info["publication_sequence_number"]) if numbered else callback(message)
            except Exception as error:
                self.bad_messages[topic] += 1
                what = str(error) if isinstance(error, ValueError | WmError) else f"{type(error).__name__}: {error}"
                self.bad_message(topic, f"a message on {topic} cannot be used: {quoted(what, 200)[1:-1]}")

        return super().create_subscription(
            msg_type,
            topic,
            guarded,  # type: ignore[arg-type]  # rclpy's hints know no callback that takes the message's info
            qos_profile,
            raw=True,
            **more,
        )

    def _refuse_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        names = ", ".join(quoted(parameter.name) for parameter in changed[:3])
        return SetParametersResult(
            successful=False,
            reason=f"{names} cannot be changed while the node runs; change the configuration and start the node again",
        )


def report_to_msg(report: Any) -> String:
    """One of :mod:`wm_core.reports`."""
    return String(data=reports.to_json(report))
