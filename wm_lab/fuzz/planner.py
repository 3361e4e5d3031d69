"""Who plans in a fuzzed session: mostly sense, in one direction for a while; sometimes anything at all."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chance import Chance
from .world import RosClock

BAD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e9)

#: Stamp (s, ROS clock), step period (s) and deltas, which are ``(H, 7)`` in most cases.
Sent = tuple[float, float, object]


class Planner:
    """Wants one thing for a while: so it is seen if the arm does not follow.

    Attributes:
        next_s: when it plans next.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._every_s, self._period_s = chance.rng.uniform(0.05, 0.3), chance.pick(0.1, 0.25, 1.0)
        self._late_s = chance.rng.uniform(0.2, 1.4)
        self._fickle = chance.pick(0.0, 0.1)
        self._wish, self.next_s = self._new_wish(), 0.0
        self._sent: deque[Sent] = deque(maxlen=5)

    def plans(self, now_s: float, clock: RosClock) -> Iterator[Sent]:
        """What comes from it in this tick."""
        happens, pick = self._chance.happens, self._chance.pick
        if happens("flood of plans"):
            yield from (self._plan(now_s, clock) for _ in range(20))
        if self._sent and happens("old plan again"):
            again = pick(*self._sent)
            yield again
            yield again  # what was refused once is not better the second time
        if happens("last words"):  # a long way to go, and nobody to look after it
            stamp_s, _, deltas = self._plan(now_s, clock, steps=256)
            yield stamp_s, pick(0.5, 1.0, 2.0), deltas
            self.next_s = now_s + 6.0
        if self._chance.lasts("silent planner", now_s, 0.2, 6.0) or now_s < self.next_s:
            return
        self.next_s = now_s + self._every_s
        if self._chance.rng.random() < self._fickle:
            self._wish = self._new_wish()
        self._sent.append(self._plan(now_s, clock))
        yield self._sent[-1]

    def _plan(self, now_s: float, clock: RosClock, steps: int | None = None) -> Sent:
        happens, pick = self._chance.happens, self._chance.pick
        late_s = self._late_s if self._chance.lasts("late planner", now_s, 0.5, 3.0) else 0.0
        stamp_s = clock.at(now_s - late_s - self._chance.rng.uniform(0.0, 0.1))
        if happens("plan of another time"):
            stamp_s += pick(-3.0, 1.0, math.nan, math.inf)
        period_s = pick(0.0, -1.0, math.nan, 1e-3, 2.5, 2.5, 600.0) if happens("odd period") else self._period_s
        return stamp_s, period_s, self._deltas(steps or int(self._chance.rng.integers(1, 5)))

    def _new_wish(self) -> NDArray[Any]:
        """Where it wants to go: one step ``(7,)``."""
        wish = self._chance.rng.normal(0, 0.03, 7)
        wish[3:6] *= self._chance.pick(0.0, 4.0, 4.0)
        wish[6] = self._chance.pick(0.0, 0.0, -0.8, 0.8)
        return wish

    def _deltas(self, steps: int) -> object:
        happens, pick, rng = self._chance.happens, self._chance.pick, self._chance.rng
        deltas = self._wish + rng.normal(0, 0.005, (steps, 7))
        if happens("nonsense plan"):
            wrong = [np.zeros(shape) for shape in ((2, 6), (7,), (0, 7), (1, 2, 7), (1000, 7))]
            deltas[rng.integers(steps), rng.integers(7)] = pick(*BAD)
            return pick(deltas, deltas, deltas, *wrong, None, "forward", [[1], [2, 3]])
        if happens("huge deltas"):
            deltas[rng.integers(steps), rng.integers(7)] = pick(-1.0, 1.0) * 10.0 ** pick(1.5, 3.0, 30.0, 300.0)
        return deltas
