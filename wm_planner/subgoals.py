"""When to move on to the next goal image, and when the last one is reached.

The scale comes from the goals themselves: a sub-goal counts as reached when only a fraction is left of the energy
between the goal before and itself. A sub-goal that stops getting closer, or takes too long, is passed as well: a goal
image is a waypoint, and V-JEPA 2-AC (arXiv 2506.09985) passes its sub-goals by the clock alone (4, 10 and 4 steps).
What was passed was not reached, nor was what looked reached before the arm had moved; :attr:`Subgoals.outcomes` keeps
them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from wm_core.errors import ConfigError, GoalError

REACHED, PASSED = "reached", "passed"


@dataclass(frozen=True)
class SubgoalConfig:
    """Time is counted in model steps of robot time, so that nothing changes with the planning rate.

    Raises ConfigError on a value that is not finite or is negative.
    """

    #: Reached: energy at most this fraction of the energy between the previous goal and this one, ...
    reached_fraction: float = 0.35
    #: ... or at most this energy, whichever is larger.
    reached_energy: float = 0.0
    #: Passed: no improvement by ``plateau_fraction`` of that same reference for this many steps. None: never.
    plateau_steps: float | None = 6.0
    plateau_fraction: float = 0.03
    #: Passed: after this many steps. None: never.
    budget_steps: float | None = 15.0
    #: The last goal: fraction, energy, and for how many steps it has to stay below them.
    done_fraction: float = 0.25
    done_energy: float = 0.0
    done_steps: float = 1.0
    #: The last goal counts as done after this many steps, reached or not. None: keep trying.
    done_budget_steps: float | None = None
    #: A budget for each goal, the last one included, in place of the two above. Empty: they hold.
    budgets_steps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if number is not None and not 0.0 <= number < np.inf:
                    raise ConfigError(f"sub-goal {field.name} = {value} must be a finite number, at least 0")


def threshold(config: SubgoalConfig, reference: float, last: bool) -> float:
    """The energy at or below which a sub-goal with this reference energy is reached."""
    if last:
        return max(config.done_fraction * reference, config.done_energy)
    return max(config.reached_fraction * reference, config.reached_energy)


@dataclass
class _Attempt:
    """What is known of the present sub-goal; times in steps."""

    reference: float | None
    best: float = np.inf
    spent: float = 0.0
    since_best: float = 0.0
    #: Time at or below the threshold without a break; None above it.
    below: float | None = None

    def tick(self, steps: float) -> None:
        self.spent += steps
        self.since_best += steps
        if self.below is not None:
            self.below += steps


class Subgoals:
    """A walk over n sub-goals, one at a time, never backwards.

    ``gaps`` (n - 1) are the energies between consecutive goals. Sub-goal k is measured against gap k - 1, and the first
    against the larger of the first energy seen and gap 0: a demonstration may begin at its own first image.
    Raises GoalError where budgets are given for another number of goals.

    Attributes:
        index, done: the present sub-goal, and whether the last one has ended.
        outcomes: how each of those that have ended did: REACHED or PASSED.
    """

    def __init__(self, config: SubgoalConfig, gaps: Sequence[float], step_period_s: float) -> None:
        self.config, self.gaps, self.count = config, tuple(gaps), len(gaps) + 1
        each: tuple[float | None, ...] = (*[config.budget_steps] * len(gaps), config.done_budget_steps)
        self._budgets = config.budgets_steps or each
        if len(self._budgets) != self.count:
            raise GoalError(f"there are {self.count} goal pictures, but budgets_steps is for {len(self._budgets)}")
        self._step_period_s = step_period_s
        self.reset()

    def reset(self) -> None:
        """Back to the first sub-goal."""
        self.index, self.done = 0, False
        self.outcomes: list[str] = []
        self._stamp_s: float | None = None
        self._attempt = _Attempt(reference=None)

    @property
    def last(self) -> bool:
        """Whether the present sub-goal is the last one."""
        return self.index == self.count - 1

    def tick(self, stamp_s: float) -> None:
        """Tell the time, once per frame and before its energies.

        A gap longer than a step counts as one step, and a clock that jumps back as none: a pause is not an attempt.
        """
        if self._stamp_s is not None:
            self._attempt.tick(float(np.clip((stamp_s - self._stamp_s) / self._step_period_s, 0.0, 1.0)))
        self._stamp_s = stamp_s

    def pause(self) -> None:
        """No time passes from the last tick to the next."""
        self._stamp_s = None

    @property
    def reached(self) -> bool:
        """Whether the last goal has really been reached."""
        return self.done and self.outcomes[-1] == REACHED

    def update(self, energy: float, moved: bool = True) -> bool:
        """Take in the energy to the present sub-goal. True if that moved on to the next one, whose energy is due.

        ``moved``: whether the arm has followed plans anywhere yet; a goal is not reached by an arm that stands.
        """
        if self.done:
            return False
        config, now = self.config, self._attempt
        if now.reference is None:
            now.reference = max([energy, *self.gaps[:1]])
        if energy < now.best - config.plateau_fraction * now.reference:
            now.best, now.since_best = energy, 0.0
        budget = self._budgets[self.index]
        reached = energy <= threshold(config, now.reference, self.last)
        if self.last:
            now.below = None if not reached else 0.0 if now.below is None else now.below
            settled = now.below is not None and _over(now.below, config.done_steps)
            self.done = settled or _over(now.spent, budget)
            if self.done:
                self.outcomes.append(REACHED if settled and moved else PASSED)
            return False
        if reached or _over(now.since_best, config.plateau_steps) or _over(now.spent, budget):
            self.outcomes.append(REACHED if reached and moved else PASSED)
            self._attempt = _Attempt(reference=self.gaps[self.index])
            self.index += 1
            return True
        return False


def _over(steps: float, allowed: float | None) -> bool:
    # Stamps are sums of step periods: the hair is for their rounding.
    return allowed is not None and steps >= allowed - 1e-6
