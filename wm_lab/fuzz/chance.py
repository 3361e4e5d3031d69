"""What can go wrong in a session, and when it does."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from .world import AILMENTS

#: What can go wrong, and how often in a tick of a session that has it.
RATES = {
    # the process and its clocks
    "suspended process": 0.006,
    "timer fires twice": 0.006,
    "clock set": 0.008,
    "clock stands": 0.01,
    # people, and programs in their place
    "stop": 0.01,
    "start": 0.006,
    "services at once": 0.010,
    "resume again and again": 0.006,
    "run ended": 0.004,
    "parameter set": 0.02,
    "loose configuration": 0.02,
    "gripper by hand": 0.01,
    # the arm
    **dict.fromkeys(AILMENTS, 0.006),
    "jumps": 0.004,
    # what its drivers report
    "silent arm": 0.005,
    "bad pose": 0.02,
    "bad gripper": 0.02,
    "bad wrench": 0.02,
    "no wrench": 0.01,
    "bad stamp": 0.02,
    "states overtake": 0.02,
    "contact": 0.006,
    "short touch": 0.006,
    "twist of the wrist": 0.006,
    "bad joints": 0.02,
    "silent joints": 0.006,
    "silent robot": 0.006,
    "robot mode": 0.01,
    "robot error": 0.004,
    "late robot error": 0.004,
    "robot rate": 0.01,
    # who plans
    "silent planner": 0.008,
    "late planner": 0.015,
    "flood of plans": 0.004,
    "plan of another time": 0.01,
    "old plan again": 0.02,
    "odd period": 0.02,
    "last words": 0.02,
    "nonsense plan": 0.01,
    "huge deltas": 0.02,
    # who else is there
    "second voice": 0.006,
    "launcher lost": 0.004,
    "silent node": 0.006,
}
#: The share of RATES that a session has.
_SHARE = 0.2


class Chance:
    """Draws everything from one seed.

    A session has a few of RATES, and often; another has others (swarm testing: Groce et al., ISSTA 2012). With all of
    them at once the arm would never run for long enough for any to matter.

    Attributes:
        rng: for whatever else is drawn.
        happened: how often each of RATES did.
    """

    def __init__(self, seed: int) -> None:
        self.rng, self.happened = np.random.default_rng(seed), Counter[str]()
        # In a quarter of the sessions little is wrong but the arm: only one that runs for seconds can fail to follow.
        arm = self.rng.random() < 0.25
        self._rates = {}
        for name, rate in RATES.items():
            if self.rng.random() < ((0.5 if name in AILMENTS else 0.03) if arm else _SHARE):
                self._rates[name] = rate * self.pick(1.0, 3.0)
        self._until_s: dict[str, float] = {}

    def pick(self, *choices: Any) -> Any:
        """One of ``choices``."""
        return choices[self.rng.integers(len(choices))]

    def happens(self, name: str) -> bool:
        """Whether one of RATES happens in this tick."""
        rate = self._rates.get(name)
        if rate is None or self.rng.random() >= rate:
            return False
        self.happened[name] += 1
        return True

    def lasts(self, name: str, now_s: float, least_s: float, most_s: float) -> bool:
        """Whether one of RATES that goes on for a while is going on."""
        if self.happens(name):
            self._until_s[name] = now_s + self.rng.uniform(least_s, most_s)
        return now_s < self._until_s.get(name, -math.inf)
