"""Figures of a long run: jitter of a stream, latency from frame to command, growth of memory. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Two commands nearer together than this were sent in one tick, as a stop does; they are no interval of the stream.
SAME_TICK_S = 0.005


def jitter(sent_s: ArrayLike, deadline_s: float, pauses: Sequence[tuple[float, float]] = ()) -> dict[str, float]:
    """Intervals of a stream in ms: ``p50 p99 p999 max``, how many there were, and how many missed the deadline.

    Args:
        sent_s: (N,) when each message was sent, in order.
        deadline_s: a longer interval is a missed deadline.
        pauses: from when to when nothing was to be sent; an interval that touches one is none of the stream's.
    """
    sent = np.asarray(sent_s, dtype=np.float64)
    kept = np.ones(max(0, len(sent) - 1), dtype=bool)
    for from_s, to_s in pauses:
        kept &= (sent[1:] < from_s) | (sent[:-1] > to_s)
    gaps_s = np.diff(sent)[kept]
    gaps_ms = 1e3 * gaps_s[gaps_s >= SAME_TICK_S]
    return {
        **_percentiles(gaps_ms, {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}),
        "intervals": len(gaps_ms),
        "missed": int(np.sum(gaps_ms > 1e3 * deadline_s)),
    }


def latency(plans: Array, sent_s: ArrayLike) -> dict[str, float]:
    """From a frame's stamp to its plan, and to the first command sent after the plan had come, in ms.

    Args:
        plans: (N, 2) stamp of the frame and arrival of its plan, s.
        sent_s: (M,) when each command was sent, in order.
    """
    sent = np.asarray(sent_s, dtype=np.float64)
    to_plan_ms = 1e3 * (plans[:, 1] - plans[:, 0])
    following = np.searchsorted(sent, plans[:, 1])
    answered = following < len(sent)
    to_command_ms = 1e3 * (sent[following[answered]] - plans[answered, 0])
    wanted = {"p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0}
    return {
        **{f"frame_to_plan_{name}": value for name, value in _percentiles(to_plan_ms, wanted).items()},
        **{f"frame_to_first_command_{name}": value for name, value in _percentiles(to_command_ms, wanted).items()},
        "plans": len(plans),
    }


def growth_percent(samples: ArrayLike, warm_s: float) -> float:
    """By how many percent the memory has grown since the warm-up; NaN without enough samples.

    The median of the first tenth after the warm-up is compared with that of the last tenth: one sample says little.

    Args:
        samples: (N, 2) time since the start (s) and memory.
        warm_s: what comes before is left out.
    """
    table = np.asarray(samples, dtype=np.float64).reshape(-1, 2)
    memory = table[table[:, 0] >= warm_s, 1]
    if len(memory) < 2:
        return float("nan")
    tenth = max(1, len(memory) // 10)
    return float(100.0 * (np.median(memory[-tenth:]) / np.median(memory[:tenth]) - 1.0))


def _percentiles(values: Array, wanted: dict[str, float]) -> dict[str, float]:
    """By name; NaN where there is no value."""
    return {name: float(np.percentile(values, q)) if len(values) else float("nan") for name, q in wanted.items()}
