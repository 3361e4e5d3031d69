"""The cross-entropy method over action sequences (Rubinstein 1999), with the kept elites of iCEM (arXiv 2008.06389).

Its settings reach from the method of V-JEPA 2-AC (arXiv 2506.09985, facebookresearch/vjepa2: one Gaussian, its mean the
answer) to the defaults, which are what did best here; docs/planning.md has what each is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_core import seeds
from wm_core.errors import ConfigError
from wm_core.pose import GRIPPER, STATE_DIM
from wm_models.imagination import Proposed

from ._distribution import ActionDistribution
from .base import Optimiser, OptimiserConfig, Problem, Solution

Array = NDArray[np.float64]
#: iterations, samples, steps, Gaussian dimensions -> normals (of all four), uniforms (of the first three)
Noise = Callable[[int, int, int, int], tuple[NDArray[np.float32], NDArray[np.float32]]]

ANSWERS = ("best", "mean")


@dataclass(frozen=True)
class CemConfig(OptimiserConfig):
    """Raises ConfigError on values with which the search cannot work."""

    kind: str = "cem"
    #: Candidates drawn per iteration, and iterations per plan.
    samples: int = 256
    iterations: int = 6
    #: Best candidates the distribution is fitted to, and how many of them compete again in the next iteration.
    elites: int = 24
    kept_elites: int = 6
    #: Share of the old mean and standard deviation that survives an update; None: of the deviation as of the mean.
    momentum: float = 0.1
    momentum_std: float | None = None
    #: The same of the gripper, or of its odds; None: as of the motion.
    momentum_gripper: float | None = None
    momentum_std_gripper: float | None = None
    #: Standard deviations at the start and at least, as a share of the largest action of each dimension that the model
    #: and the limits allow.
    initial_std: float = 0.6
    least_std: float = 0.05
    #: The start of the gripper, in closedness, where it is Gaussian; None: as of the motion.
    initial_std_gripper: float | None = None
    #: Divide by elites - 1 for the standard deviation, not by elites.
    sample_std: bool = False
    #: Draw a gripper that has levels by their odds, not from a Gaussian that is rounded to them.
    gripper_odds: bool = True
    #: Standing still, the rest of the last plan, and what was proposed always compete.
    compete: bool = True
    #: Start from what is left of the last plan instead of from standing still, ...
    warm_start: bool = True
    #: ... with this share of the standard deviations above.
    warm_std: float = 1.0
    #: "best": the better of the best candidate and the distribution's centre. "mean": that centre, unchecked against
    #: the candidates, as published planners do.
    answer: str = "best"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "iterations", "elites"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")
        if not 0 <= self.kept_elites <= self.elites <= self.samples:
            raise ConfigError("the search needs 0 <= kept_elites <= elites <= samples")
        for name in ("momentum", "momentum_std", "momentum_gripper", "momentum_std_gripper"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < 1.0:
                raise ConfigError(f"{name} = {value} must be at least 0 and below 1")
        if not 0.0 <= self.least_std <= self.initial_std < np.inf:
            raise ConfigError("the search needs 0 <= least_std <= initial_std, both finite")
        if self.initial_std_gripper is not None and not 0.0 <= self.initial_std_gripper < np.inf:
            raise ConfigError(f"initial_std_gripper = {self.initial_std_gripper} must be a finite number, at least 0")
        if not 0.0 <= self.warm_std <= 1.0:
            raise ConfigError(f"warm_std = {self.warm_std} must be within 0..1")
        if self.answer not in ANSWERS:
            raise ConfigError(f"answer = '{self.answer}' must be 'best' or 'mean'")
        seeds.checked(self.seed)

    @property
    def candidates(self) -> int:
        """See :class:`OptimiserConfig`."""
        return self.samples

    @property
    def keep_mean(self) -> Array:
        """Share (7,) of the old mean that survives an update."""
        return _per_dimension(self.momentum, self.momentum_gripper)

    @property
    def keep_std(self) -> Array:
        """Share (7,) of the old standard deviation that survives an update."""
        motion = self.momentum if self.momentum_std is None else self.momentum_std
        gripper = self.momentum_gripper if self.momentum_std_gripper is None else self.momentum_std_gripper
        return _per_dimension(motion, gripper)

    def start_std(self, scale: Array) -> Array:
        """Standard deviation (7,) at the start for a problem's ``scale``."""
        std = self.initial_std * scale
        if self.initial_std_gripper is not None and scale[GRIPPER] > 0.0:
            std[GRIPPER] = self.initial_std_gripper
        return std

    def make(self) -> Cem:
        """See :class:`OptimiserConfig`."""
        return Cem(self)


def _per_dimension(motion: float, gripper: float | None) -> Array:
    out = np.full(STATE_DIM, motion)
    out[GRIPPER] = motion if gripper is None else gripper
    return out


class Cem(Optimiser):
    """Sample, score, update, a few times over. ``noise``: in place of random numbers of its own."""

    def __init__(self, config: CemConfig, noise: Noise | None = None) -> None:
        self.config = config
        self._noise = self._random if noise is None else noise
        self.reset()

    def reset(self) -> None:
        """See :meth:`Optimiser.reset`."""
        self._rng = np.random.default_rng(self.config.seed)
        self._last: Array | None = None

    def optimise(self, problem: Problem, elapsed_steps: int = 1, proposed: Proposed | None = None) -> Solution | None:
        """See :meth:`Optimiser.optimise`."""
        c = self.config
        start = self._warm_start(problem.horizon, elapsed_steps)
        distribution = self._distribution(problem, start, proposed)
        extra = self._first_candidates(start, proposed)
        elites, costs = np.empty((0, *start.shape)), np.empty(0)
        noise = self._noise(c.iterations, c.samples, problem.horizon, len(distribution.continuous))
        for normals, uniforms in zip(*noise, strict=True):
            drawn = distribution.sample(normals, uniforms)
            drawn[: len(extra)] = extra[: len(drawn)]
            candidates = problem.project(drawn)
            elites, costs = self._select(candidates, problem.score(candidates), elites, costs)
            if len(elites):
                distribution.fit(elites, c.keep_mean, c.keep_std, c.least_std * problem.scale, c.sample_std)
            extra = extra[:0]
        return self._decide(problem, distribution, elites, costs)

    def _warm_start(self, horizon: int, elapsed_steps: int) -> Array:
        start = np.zeros((horizon, STATE_DIM))
        if self._last is not None and self.config.warm_start:
            rest = self._last[max(elapsed_steps, 0) :]
            start[: len(rest)] = rest
        return start

    def _distribution(self, problem: Problem, start: Array, proposed: Proposed | None) -> ActionDistribution:
        c, horizon = self.config, len(start)
        mean, std = start, np.tile(c.start_std(problem.scale), (horizon, 1))
        if c.warm_start and self._last is not None:
            std = c.warm_std * std
        if proposed is not None and proposed.actions is not None:
            mean = _fit_horizon(proposed.actions[None], horizon)[0]
        if proposed is not None and proposed.spread is not None:
            std = np.clip(_fit_horizon(proposed.spread[None], horizon)[0], c.least_std * problem.scale, std)
        mean = problem.project(mean[None])[0]
        distribution = ActionDistribution(problem.space, mean, std, c.gripper_odds)
        if proposed is not None and proposed.actions is not None:
            distribution.lean_to(mean)
        if proposed is not None and proposed.gripper_odds is not None:
            distribution.take_odds(proposed.gripper_odds)
        return distribution

    def _first_candidates(self, start: Array, proposed: Proposed | None) -> Array:
        if not self.config.compete:
            return np.empty((0, *start.shape))
        extra = [np.stack([np.zeros_like(start), start])]
        if proposed is not None and proposed.actions is not None:
            extra.append(_fit_horizon(proposed.actions[None], len(start)))
        if proposed is not None and proposed.candidates is not None:
            extra.append(_fit_horizon(proposed.candidates, len(start)))
        return np.concatenate(extra)

    def _random(
        self, iterations: int, samples: int, horizon: int, gaussian: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        normals = self._rng.standard_normal((iterations, horizon, gaussian, samples), dtype=np.float32)
        uniforms = self._rng.random((iterations, horizon, samples), dtype=np.float32)
        return np.moveaxis(normals, -1, 1), np.moveaxis(uniforms, -1, 1)

    def _select(self, candidates: Array, costs: Array, elites: Array, elite_costs: Array) -> tuple[Array, Array]:
        """The elites among the new candidates and the kept ones, best first; never one without a finite cost."""
        keep = self.config.kept_elites
        candidates = np.concatenate([elites[:keep], candidates])
        costs = np.concatenate([elite_costs[:keep], costs])
        best = np.argsort(costs, kind="stable")[: self.config.elites]
        best = best[np.isfinite(costs[best])]
        return candidates[best], costs[best]

    def _decide(
        self, problem: Problem, distribution: ActionDistribution, elites: Array, costs: Array
    ) -> Solution | None:
        self._last = None
        if not len(elites):
            return None
        centre = problem.project(distribution.centre()[None])
        finalists = centre if self.config.answer == "mean" else np.concatenate([elites[:1], centre])
        scores = problem.score(finalists)
        winner = int(np.argmin(scores))
        if not np.isfinite(scores[winner]):
            return None
        self._last = finalists[winner]
        return Solution(finalists[winner], float(scores[winner]), elites, costs)


def _fit_horizon(sequences: Array, horizon: int) -> Array:
    """Sequences (K, any, 7), cut or padded with zeros to (K, horizon, 7)."""
    cut = sequences[:, :horizon]
    return np.pad(cut, ((0, 0), (0, horizon - cut.shape[1]), (0, 0)))


KIND = CemConfig
