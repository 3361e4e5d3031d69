"""Diagnostics at 1 Hz from a plain mapping, and the rolling figures that go into it. They are for people."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from wm_core.reports import Health
from wm_core.topics import DIAGNOSTICS

from .clock import steady_s
from .endpoints import publisher

PERIOD_S = 1.0


class Rolling:
    """Percentiles and rate of the newest values.

    Args:
        size: how many values are kept.
        window_s: over how much time the rate is taken.
    """

    def __init__(self, size: int = 256, window_s: float = 3.0) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self._times: deque[float] = deque(maxlen=size)
        self._window_s = window_s

    def add(self, value: float) -> None:
        self._values.append(value)
        self._times.append(steady_s())

    def percentile(self, percent: float) -> float:
        """NaN as long as there is no value."""
        if not self._values:
            return math.nan
        # As numpy's, whose first call imports a module: that would hold up the ticks of a controller by 0.1 s.
        values = sorted(self._values)
        place = (len(values) - 1) * percent / 100.0
        below = math.floor(place)
        return values[below] + (values[math.ceil(place)] - values[below]) * (place - below)

    def rate_hz(self) -> float:
        """Values per second lately; 0 when they have stopped."""
        times, now = list(self._times), steady_s()
        if not times:
            return 0.0
        span_s = min(self._window_s, max(now - times[0], 1e-3))
        return sum(t >= now - span_s for t in times) / span_s

    def summary(self, name: str, unit: str = "ms") -> dict[str, float]:
        """``{name_p50_unit, name_p99_unit}``."""
        return {f"{name}_p50_{unit}": self.percentile(50), f"{name}_p99_{unit}": self.percentile(99)}


class Diagnostics:
    """Publishes ``/diagnostics`` at 1 Hz of steady time. A figure that there is not yet (None, NaN) is left out.

    Args:
        node: whose name the status carries.
        collect: called for each message, in the executor's thread.
    """

    def __init__(self, node: Node, collect: Callable[[], Health]) -> None:
        self._node, self._collect = node, collect
        self._publisher = publisher(node, DIAGNOSTICS)
        # Also of a node that is no WmNode, whose timers would follow a clock that may be set.
        node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        health = self._collect()
        values = {
            **health.values,
            **{f"bad_messages.{t}": n for t, n in getattr(self._node, "bad_messages", {}).items()},
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK if health.ok else DiagnosticStatus.WARN,
            name=self._node.get_fully_qualified_name().lstrip("/"),
            message=health.message,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items() if not _absent(value)],
        )
        msg = DiagnosticArray(status=[status])
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(msg)


def health_of(status: DiagnosticStatus) -> Health:
    """What a received status says; all of its values are text."""
    values = {pair.key: pair.value for pair in status.values}
    return Health(status.level == DiagnosticStatus.OK, status.message, values)


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
