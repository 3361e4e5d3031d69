"""What a run leaves behind: a film of the camera with the goal beside it, the energy against the steps, a summary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_core import results
from wm_core.errors import WmError

Picture = NDArray[np.uint8]

FPS = 12.5
SIDE_PX = 512
INSET_PX = 144
BAR_PX = 40
_FONT = cv2.FONT_HERSHEY_SIMPLEX
#: BGR.
_WHITE, _INK, _GRID, _LINE, _BAND = (255, 255, 255), (60, 60, 60), (225, 225, 225), (190, 110, 30), (248, 244, 238)
_ORANGE = (30, 140, 240)


@dataclass(frozen=True)
class PlanRow:
    """One plan: when (s since the start), for which sub-goal (from 0), and what it cost."""

    time_s: float
    subgoal: int
    energy: float
    plan_ms: float
    latency_ms: float
    guardrail: str


def live_line(subgoal: int, subgoals: int, energy: float | None, plan_ms: float | None, guardrail: str) -> str:
    """The one line that a person watches."""
    parts = [f"sub-goal {min(subgoal + 1, subgoals)}/{subgoals}"]
    if energy is not None:
        parts.append(f"energy {energy:.2f}")
    if plan_ms is not None:
        parts.append(f"plan {plan_ms:.0f} ms")
    parts.append(f"guardrails {guardrail}")
    return "  ".join(parts)


class Film:
    """An mp4 in real time of what the camera sees, with the present goal in the corner and a line below.

    Args:
        path: of the mp4.
        goals: the goal pictures (H, W, 3) uint8 RGB.
    """

    def __init__(self, path: Path, goals: Sequence[Picture]) -> None:
        self._path = path
        self._insets = [_inset(goal, f"goal {k + 1}/{len(goals)}") for k, goal in enumerate(goals)]
        self._writer: cv2.VideoWriter | None = None
        self._height = 0
        self._start_s = 0.0
        self._written = 0

    def add(self, rgb: Picture, stamp_s: float, subgoal: int, caption: str) -> None:
        """Add the frame (H, W, 3) of time ``stamp_s``; the film shows it until the next one's time."""
        if self._writer is None:
            # The first frame decides, as the size of a film cannot change; a slit of a picture makes no film of one.
            self._height = min(max(round(SIDE_PX * rgb.shape[0] / rgb.shape[1] / 2) * 2, INSET_PX), 2 * SIDE_PX)
            size = SIDE_PX, self._height + BAR_PX
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
            self._start_s = stamp_s
        due = int((stamp_s - self._start_s) * FPS) + 1 - self._written
        if due <= 0:
            return
        canvas = np.full((self._height + BAR_PX, SIDE_PX, 3), 24, dtype=np.uint8)
        canvas[: self._height] = cv2.resize(rgb[..., ::-1], (SIDE_PX, self._height), interpolation=cv2.INTER_CUBIC)
        if 0 <= subgoal < len(self._insets):
            inset = self._insets[subgoal][: self._height - 12]
            canvas[12 : 12 + inset.shape[0], -12 - inset.shape[1] : -12] = inset
        cv2.putText(canvas, caption, (12, self._height + 26), _FONT, 0.5, _WHITE, 1, cv2.LINE_AA)
        for _ in range(min(due, round(10 * FPS))):  # a camera that was silent for minutes makes no film of minutes
            self._writer.write(canvas)
        self._written += due

    def close(self) -> None:
        """Finish the file. Raises WmError if it did not become a film: OpenCV says nothing of a disk that is full."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            if not cv2.VideoCapture(str(self._path)).isOpened():
                raise WmError(f"cannot write {self._path}; is the disk full?")


def _inset(goal: Picture, label: str) -> Picture:
    height = round(INSET_PX * goal.shape[0] / goal.shape[1])
    small = np.ascontiguousarray(cv2.resize(goal[..., ::-1], (INSET_PX, height), interpolation=cv2.INTER_AREA))
    cv2.rectangle(small, (0, 0), (INSET_PX - 1, height - 1), _WHITE, 2)
    cv2.putText(small, label, (8, height - 9), _FONT, 0.45, _WHITE, 1, cv2.LINE_AA)
    return small.astype(np.uint8)


def draw_energy(path: Path, rows: Sequence[PlanRow], title: str) -> None:
    """Draw the energy to the present sub-goal against the planning step; bands are sub-goals. Raises WmError."""
    width, height, left, right, top, bottom = 960, 480, 80, 24, 56, 56
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    top_energy = _nice_ceiling(max((row.energy for row in rows if math.isfinite(row.energy)), default=1.0))
    count = max(len(rows), 2)

    def x(step: float) -> int:
        return round(left + step / (count - 1) * (width - left - right))

    def y(energy: float) -> int:
        return round(height - bottom - energy / top_energy * (height - top - bottom))

    starts = [k for k, row in enumerate(rows) if k == 0 or row.subgoal != rows[k - 1].subgoal]
    for start, end in pairwise([*starts, count - 1]):
        if rows[start].subgoal % 2:
            cv2.rectangle(canvas, (x(start), top), (x(end), height - bottom), _BAND, cv2.FILLED)
        _text(canvas, str(rows[start].subgoal + 1), (x(start) + 4, top + 16), 0.45)
    for tick in np.linspace(0.0, top_energy, 5):
        cv2.line(canvas, (left, y(tick)), (width - right, y(tick)), _GRID, 1)
        _text(canvas, f"{tick:.3g}", (left - 60, y(tick) + 5), 0.45)
    for step in range(0, count, max(1, round(_nice_ceiling(count / 10)))):
        _text(canvas, str(step), (x(step) - 6, height - bottom + 22), 0.45)
    points = [(x(k), y(row.energy)) for k, row in enumerate(rows) if math.isfinite(row.energy)]
    if points:
        cv2.polylines(canvas, [np.array(points, dtype=np.int32).reshape(-1, 1, 2)], False, _LINE, 2, cv2.LINE_AA)
    for k, row in enumerate(rows):
        if row.guardrail != "ok" and math.isfinite(row.energy):
            cv2.circle(canvas, (x(k), y(row.energy)), 4, _ORANGE, cv2.FILLED, cv2.LINE_AA)
    _text(canvas, title, (left, 30), 0.6)
    _text(canvas, "step of the plan  (bands: sub-goals; orange: a guardrail binds)", (left, height - 14), 0.45)
    _text(canvas, "energy", (12, top - 14), 0.45)
    results.write_bytes(path, cv2.imencode(".png", canvas)[1].tobytes())


def _text(canvas: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float) -> None:
    cv2.putText(canvas, text, at, _FONT, scale, _INK, 1, cv2.LINE_AA)


def _nice_ceiling(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if not value > 0.0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= value)


def statistics(rows: Sequence[PlanRow]) -> dict[str, Any]:
    """Figures of the plans of a run, for the summary; None where there was no plan."""

    def quantile(values: list[float], q: float) -> float | None:
        return round(float(np.quantile(values, q)), 2) if values else None

    plan_ms, latency_ms = [row.plan_ms for row in rows], [row.latency_ms for row in rows]
    return {
        "plans": len(rows),
        "plan_ms_p50": quantile(plan_ms, 0.5),
        "plan_ms_p99": quantile(plan_ms, 0.99),
        "frame_to_plan_ms_p50": quantile(latency_ms, 0.5),
        "frame_to_plan_ms_p99": quantile(latency_ms, 0.99),
        "guardrail_activity": dict(Counter(row.guardrail for row in rows if row.guardrail != "ok")),
    }
