"""Jitter, latency and growth on series whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wm_bringup import timing


def test_a_steady_stream_has_no_jitter() -> None:
    out = timing.jitter(0.02 * np.arange(1001), 0.04)
    assert out["p50_ms"] == pytest.approx(20.0) and out["max_ms"] == pytest.approx(20.0)
    assert out["intervals"] == 1000 and out["missed"] == 0


def test_a_pause_is_a_missed_deadline_and_a_double_is_no_interval() -> None:
    sent = np.sort(np.append(0.02 * np.arange(2001), 10.0005))
    sent[1500:] += 0.03
    out = timing.jitter(sent, 0.04)
    assert out["missed"] == 1 and out["max_ms"] == pytest.approx(50.0)
    assert out["intervals"] == 2000 and out["p50_ms"] == pytest.approx(20.0)


def test_latency_is_from_the_frame_to_the_first_command_after_its_plan() -> None:
    plans = np.array([[1.00, 1.05], [2.00, 2.03], [3.00, 3.06]])
    out = timing.latency(plans, 0.02 * np.arange(140) + 0.01)  # ends at 2.79: the last plan is never answered
    assert out["frame_to_plan_p50_ms"] == pytest.approx(50.0)
    assert out["frame_to_first_command_max_ms"] == pytest.approx(50.0, abs=1e-6)
    assert out["plans"] == 3


def test_growth_compares_the_ends_and_leaves_the_warm_up_out() -> None:
    at_s = np.arange(0.0, 100.0)
    memory = np.where(at_s < 20.0, 10.0 + at_s, 100.0 + 0.1 * (at_s - 20.0))
    growth = timing.growth_percent(np.column_stack([at_s, memory]), 20.0)
    assert growth == pytest.approx(7.2, abs=0.2)
    memory[57] = 500.0
    assert timing.growth_percent(np.column_stack([at_s, memory]), 20.0) == growth, "one odd sample says nothing"


def test_nothing_measured_is_not_a_number() -> None:
    assert math.isnan(timing.growth_percent([], 0.0))
    assert math.isnan(timing.jitter([], 0.04)["p999_ms"])
    assert math.isnan(timing.latency(np.zeros((0, 2)), [])["frame_to_plan_p50_ms"])


def test_a_pause_is_no_missed_deadline() -> None:
    sent_s = [0.0, 0.02, 0.04, 3.0, 3.02, 3.5]
    assert timing.jitter(sent_s, 0.04)["missed"] == 2
    with_pause = timing.jitter(sent_s, 0.04, [(0.05, 2.99)])
    assert with_pause["missed"] == 1 and with_pause["intervals"] == 4
    assert timing.jitter(sent_s, 0.04, [(3.4, math.inf)])["intervals"] == 4
