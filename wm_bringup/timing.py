"""Figures of a long run: jitter of a stream, a frame's walk to its command, growth of memory. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Walk:
    """A frame's walk, as it was recorded: who published what when. Times are in s, of one clock.

    Attributes:
        frames, latents, plans: (N, 2) stamp of the frame, and when it, its latent or its plan was published.
        taken: (N, 2) stamp of the frame, and the controller's tick that took its plan.
        commands: (N, 2) tick, and when its target was published; in order.
    """

    frames: Array
    latents: Array
    plans: Array
    taken: Array
    commands: Array


#: The stages of a walk after the exposure, which is the frame's stamp.
STAGES = ("publish", "latent", "plan", "take", "first_command")
#: Two stamps of the same moment, once through JSON and once through a message's nanoseconds.
SAME_S = 1e-5


def ladder(walk: Walk) -> dict[str, float]:
    """From a frame's stamp to each stage of its walk, in ms, over the plans that the controller took.

    The first command is that of the tick that took the plan. A stage that was not recorded is NaN.
    """
    out: dict[str, float] = {}
    stamps_s, ticks_s = walk.taken[:, 0], walk.taken[:, 1]
    sent_s = _at_or_after(walk.commands, ticks_s)
    reached = [*(_of(rows, stamps_s) for rows in (walk.frames, walk.latents, walk.plans)), ticks_s, sent_s]
    for stage, times_s in zip(STAGES, reached, strict=True):
        after_ms = 1e3 * (times_s - stamps_s)
        wanted = {"p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0}
        figures = _percentiles(after_ms[np.isfinite(after_ms)], wanted)
        out |= {f"frame_to_{stage}_{name}": value for name, value in figures.items()}
    return {**out, "plans": len(walk.taken)}


def _of(rows: Array, stamps_s: Array) -> Array:
    """The second column where the first is one of these stamps; NaN where there is none."""
    order = np.argsort(rows[:, 0], kind="stable")
    stamps, times = rows[order, 0], rows[order, 1]
    place = np.searchsorted(stamps, stamps_s - SAME_S)
    out = np.full(len(stamps_s), np.nan)
    there = place < len(stamps)
    there[there] = np.abs(stamps[place[there]] - stamps_s[there]) <= SAME_S
    out[there] = times[place[there]]
    return out


def _at_or_after(rows: Array, ticks_s: Array) -> Array:
    """The second column of the first row whose first is not before each tick; NaN after the last."""
    place = np.searchsorted(rows[:, 0], ticks_s - SAME_S)
    out = np.full(len(ticks_s), np.nan)
    out[place < len(rows)] = rows[place[place < len(rows)], 1]
    return out


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
