"""The cross-entropy method over action sequences (Rubinstein 1999), with the kept elites of iCEM (arXiv 2008.06389)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_core import seeds
from wm_core.errors import ConfigError

from .base import Optimiser, Problem, Proposed, Solution
from .distribution import ActionDistribution

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CemConfig:
    """Raises ConfigError on values with which the search cannot work."""

    #: Candidates drawn per iteration, iterations per plan, steps per candidate.
    samples: int = 256
    iterations: int = 6
    horizon: int = 2
    #: Best candidates the distribution is fitted to, and how many of them compete again in the next iteration.
    elites: int = 24
    kept_elites: int = 6
    #: Share of the old mean and std that survives an update.
    momentum: float = 0.1
    #: Standard deviations at the start and at least, as a fraction of the largest action of each dimension.
    initial_std: float = 0.6
    least_std: float = 0.05
    #: Start from what is left of the last plan instead of from standing still.
    warm_start: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("samples", "iterations", "horizon", "elites", "kept_elites"):
            if getattr(self, name) < 1:
                raise ConfigError(f"planner {name} = {getattr(self, name)} must be at least 1")
        if not self.kept_elites <= self.elites <= self.samples:
            raise ConfigError("planner needs kept_elites <= elites <= samples")
        if not 0.0 <= self.momentum < 1.0:
            raise ConfigError(f"planner momentum = {self.momentum} must be at least 0 and below 1")
        if not 0.0 <= self.least_std <= self.initial_std < np.inf:
            raise ConfigError("planner needs 0 <= least_std <= initial_std, both finite")
        seeds.checked(self.seed)


class Cem(Optimiser):
    """Sample, score, update, a few times over; then the better of the best candidate and the distribution's centre."""

    def __init__(self, config: CemConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """See :meth:`Optimiser.reset`."""
        self._rng = np.random.default_rng(self.config.seed)
        self._last: Array | None = None

    def optimise(self, problem: Problem, elapsed_steps: int = 1, proposed: Proposed | None = None) -> Solution | None:
        """See :meth:`Optimiser.optimise`."""
        start = self._warm_start(elapsed_steps)
        distribution = self._distribution(problem, start, proposed)
        extra = self._first_candidates(start, proposed)
        elites, costs = np.empty((0, *start.shape)), np.empty(0)
        for normals, uniforms in zip(*self._noise(problem), strict=True):
            drawn = distribution.sample(normals, uniforms)
            drawn[: len(extra)] = extra[: len(drawn)]
            candidates = problem.project(drawn)
            elites, costs = self._select(candidates, problem.score(candidates), elites, costs)
            if len(elites):
                distribution.fit(elites, self.config.momentum, self.config.least_std * problem.scale)
            extra = extra[:0]
        return self._decide(problem, distribution, elites, costs)

    def _warm_start(self, elapsed_steps: int) -> Array:
        start = np.zeros((self.config.horizon, 7))
        if self._last is not None and self.config.warm_start:
            rest = self._last[max(elapsed_steps, 0) :]
            start[: len(rest)] = rest
        return start

    def _distribution(self, problem: Problem, start: Array, proposed: Proposed | None) -> ActionDistribution:
        mean, std = start, np.tile(self.config.initial_std * problem.scale, (len(start), 1))
        if proposed is not None and proposed.mean is not None:
            mean = _fit_horizon(proposed.mean[None], len(start))[0]
        if proposed is not None and proposed.std is not None:
            least = self.config.least_std * problem.scale
            std = np.clip(_fit_horizon(proposed.std[None], len(start))[0], least, std)
        mean = problem.project(mean[None])[0]
        distribution = ActionDistribution(problem.space, mean, std)
        if proposed is not None and proposed.mean is not None:
            distribution.lean_to(mean)
        return distribution

    def _first_candidates(self, start: Array, proposed: Proposed | None) -> Array:
        """Standing still and the rest of the last plan always compete, and so does whatever was proposed."""
        extra = np.stack([np.zeros_like(start), start])
        if proposed is not None and proposed.candidates is not None:
            extra = np.concatenate([extra, _fit_horizon(proposed.candidates, len(start))])
        return extra

    def _noise(self, problem: Problem) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Normals (iterations, N, H, continuous dimensions) and uniforms (iterations, N, H) of one whole search."""
        times, samples, horizon = self.config.iterations, self.config.samples, self.config.horizon
        normals = self._rng.standard_normal((times, horizon, len(problem.space.continuous), samples), dtype=np.float32)
        uniforms = self._rng.random((times, horizon, samples), dtype=np.float32)
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
        if not len(elites):
            self._last = None
            return None
        finalists = np.stack([elites[0], problem.project(distribution.centre()[None])[0]])
        scores = problem.score(finalists)
        winner = int(np.argmin(scores))
        if not np.isfinite(scores[winner]):
            self._last = None
            return None
        self._last = finalists[winner]
        return Solution(finalists[winner], float(scores[winner]), elites, costs)


def _fit_horizon(sequences: Array, horizon: int) -> Array:
    """Sequences (K, any, 7), cut or padded with zeros to (K, horizon, 7)."""
    cut = sequences[:, :horizon]
    return np.pad(cut, ((0, 0), (0, horizon - cut.shape[1]), (0, 0)))
