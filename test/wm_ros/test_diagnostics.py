from __future__ import annotations

import math

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import given
from hypothesis import strategies as st
from rclpy.node import Node

from wm_core.reports import Health
from wm_ros import qos
from wm_ros.diagnostics import Diagnostics, Rolling, health_of


def test_rolling_figures() -> None:
    rolling = Rolling(size=100)
    assert math.isnan(rolling.percentile(50)) and rolling.rate_hz() == 0.0
    for value in range(1000):
        rolling.add(float(value))
    assert rolling.percentile(50) == 949.5  # of the newest 100
    assert rolling.summary("plan").keys() == {"plan_p50_ms", "plan_p99_ms"}
    assert rolling.rate_hz() > 10.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0.0, 100.0))
def test_percentiles_are_those_of_numpy(values: list[float], percent: float) -> None:
    rolling = Rolling()
    for value in values:
        rolling.add(value)
    assert math.isclose(rolling.percentile(percent), np.percentile(values, percent), rel_tol=1e-9, abs_tol=1e-6)


def test_diagnostics_arrive(node: Node) -> None:
    heard: list[DiagnosticArray] = []
    node.create_subscription(DiagnosticArray, "/diagnostics", heard.append, qos.DIAGNOSTICS)
    health = Health(False, "no frames", {"rate_hz": 0.5, "count": 3, "mode": "idle", "a": math.nan, "b": None})
    diagnostics = Diagnostics(node, lambda: health)
    for _ in range(50):
        diagnostics.publish()
        rclpy.spin_once(node, timeout_sec=0.1)
        if heard:
            break
    status = heard[0].status[0]
    assert status.name == "test_node"
    assert health_of(status) == Health(False, "no frames", {"rate_hz": "0.5", "count": "3", "mode": "idle"})
