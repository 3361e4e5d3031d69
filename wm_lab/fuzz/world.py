"""What the controller of a fuzzed session lives in: a clock that lies, and an arm that does not do as it is told."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.pose import integrate

DOWN = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])
#: Ways in which an arm does not follow; see :meth:`Body.move`.
AILMENTS = ("frozen", "blocked", "sinks", "leans", "pushed")


class RosClock:
    """The clock of the stamps, as a ROS node sees it, beside a steady one.

    Args:
        epoch_s: what it reads at the steady time 0; a clock of today reads 1.7e9.
        pace: how fast it goes; other than 1 only for a simulated one.
    """

    def __init__(self, epoch_s: float, pace: float = 1.0) -> None:
        self._pace, self._stands_until_s = pace, -math.inf
        self._past = deque([(0.0, epoch_s)], maxlen=400)  # steady and ROS time: straight between two of them
        self.now_s = epoch_s

    def advance(self, before_s: float, steady_s: float) -> None:
        """Let it become ``steady_s``."""
        runs_s = min(steady_s - before_s, max(0.0, steady_s - self._stands_until_s))
        self.now_s += self._pace * runs_s
        self._past.append((steady_s, self.now_s))

    def set(self, by_s: float) -> None:
        """It is set forward or, below 0, back."""
        self.now_s += by_s
        self._past.append((self._past[-1][0], self.now_s))

    def stand(self, until_s: float) -> None:
        """It stands still until the steady time ``until_s``."""
        self._stands_until_s = until_s

    def stands(self, steady_s: float) -> bool:
        """Whether it stands still at a moment."""
        return steady_s <= self._stands_until_s

    def at(self, steady_s: float) -> float:
        """What it read at a moment of the last seconds: the stamp that somebody gave to a message then."""
        later = self._past[-1]
        for earlier in reversed(self._past):
            if earlier[0] <= steady_s:
                span_s = later[0] - earlier[0]
                share = (steady_s - earlier[0]) / span_s if span_s > 0.0 else 0.0
                return earlier[1] + min(1.0, share) * (later[1] - earlier[1])
            later = earlier
        return later[1]


class Body:
    """An arm with a gripper: TCP and gripper ``(7,)``; follows targets, more or less.

    Args:
        rng: of the session.
        lag_s: how late it follows.
    """

    def __init__(self, rng: np.random.Generator, lag_s: float) -> None:
        self._rng, self._lag_s = rng, lag_s
        self.state = np.append(DOWN + rng.normal(0, 0.003, 6), rng.choice([0.0, 0.4, 1.0]))
        self._due: deque[tuple[float, NDArray[Any]]] = deque()
        self._ails = dict.fromkeys(AILMENTS, -math.inf)  # until when
        self._wall = self._push = np.zeros(7)

    def ail(self, name: str, until_s: float) -> None:
        """Begin one of AILMENTS."""
        self._ails[name] = until_s
        if name == "blocked":
            self._wall = self.state.copy()
            self._push = self._rng.normal(0, 1, 7)
        elif name == "pushed":
            self._push = self._rng.normal(0, self._rng.choice([0.1, 0.5]), 7)

    def jump(self) -> None:
        """Elsewhere at once: a sensor that was exchanged, a driver that was started anew."""
        self.state = integrate(self.state, self._rng.normal(0, 0.15, 7))

    def bring_back(self) -> None:
        """A person leads it to where it may start from."""
        self._ails = dict.fromkeys(AILMENTS, -math.inf)
        self._due.clear()
        self.state = np.append(DOWN + self._rng.normal(0, 0.003, 6), self.state[6])

    def hand(self, to: float) -> None:
        """A person opens or closes the gripper."""
        self.state = np.append(self.state[:6], to)

    def move(self, now_s: float, dt_s: float, target: NDArray[Any] | None, gripper: float | None) -> None:
        """Let ``dt_s`` pass with a commanded TCP ``(6,)`` and gripper."""
        ails = {name for name, until_s in self._ails.items() if now_s < until_s}
        before, state = self.state, self.state.copy()
        if target is not None:
            self._due.append((now_s + self._lag_s, target))
        while len(self._due) > 1 and self._due[1][0] <= now_s:
            self._due.popleft()
        if self._due and self._due[0][0] <= now_s and not ails & {"frozen", "sinks", "leans"}:
            goal = self._due[0][1]
            state[:3] += self._rng.uniform(0.3, 0.9) * (goal[:3] - state[:3])
            if self._rng.random() < 0.5:
                state[3:6] = goal[3:6]
        if "blocked" in ails:  # by a wall that it can leave, not pass
            beyond = float((state[:3] - self._wall[:3]) @ self._push[:3])
            if beyond > 0.0:
                state[:3] -= beyond * self._push[:3] / float(self._push[:3] @ self._push[:3])
        if "sinks" in ails:
            state[2] -= 0.15 * dt_s
        if "leans" in ails:
            state[3] += 0.5 * dt_s
        if "pushed" in ails:
            state = integrate(state, self._push * dt_s)
        if gripper is not None and "frozen" not in ails:
            state[6] = before[6] + np.clip(gripper - before[6], -1.5 * dt_s, 1.5 * dt_s)
        state[6] = min(1.0, max(0.0, state[6]))
        self.state = state
