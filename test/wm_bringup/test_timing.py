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


def walk(**given: list) -> timing.Walk:
    rows = {
        "frames": [(1.0, 1.004), (1.5, 1.506), (2.0, 2.004)],
        "latents": [(1.0, 1.02), (2.0, 2.03)],
        "plans": [(2.0, 2.06), (1.0, 1.05)],
        "taken": [(1.0, 1.06), (2.0, 2.08), (3.0, 3.1)],
        "commands": [(1.04, 1.041), (1.06, 1.062), (1.08, 1.081), (2.06, 2.061), (2.08, 2.084)],
    }
    return timing.Walk(**{name: np.array(value).reshape(-1, 2) for name, value in (rows | given).items()})


def test_the_ladder_climbs_from_the_frame_to_the_command_of_the_tick_that_took_its_plan() -> None:
    """A command between the plan's arrival and that tick still follows the plan before."""
    out = timing.ladder(walk())
    highest = {stage: out[f"frame_to_{stage}_max_ms"] for stage in timing.STAGES}
    assert [round(x, 6) for x in highest.values()] == [4.0, 30.0, 60.0, 100.0, 84.0]
    assert out["plans"] == 3 and out["frame_to_first_command_p50_ms"] == pytest.approx(73.0), "the third has none yet"


def test_stamps_that_went_through_json_are_the_same() -> None:
    out = timing.ladder(walk(taken=[(1.0 + 4e-6, 1.06 - 4e-6)]))
    assert out["frame_to_plan_p50_ms"] == pytest.approx(50.0, abs=0.01)
    assert out["frame_to_first_command_p50_ms"] == pytest.approx(62.0, abs=0.01)


def test_a_stage_that_was_not_recorded_is_not_a_number() -> None:
    out = timing.ladder(walk(frames=[]))
    assert math.isnan(out["frame_to_publish_p50_ms"]) and not math.isnan(out["frame_to_latent_p50_ms"])


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
    assert math.isnan(timing.ladder(timing.Walk(*[np.zeros((0, 2))] * 5))["frame_to_plan_p50_ms"])


def test_a_pause_is_no_missed_deadline() -> None:
    sent_s = [0.0, 0.02, 0.04, 3.0, 3.02, 3.5]
    assert timing.jitter(sent_s, 0.04)["missed"] == 2
    with_pause = timing.jitter(sent_s, 0.04, [(0.05, 2.99)])
    assert with_pause["missed"] == 1 and with_pause["intervals"] == 4
    assert timing.jitter(sent_s, 0.04, [(3.4, math.inf)])["intervals"] == 4
