"""How long a search takes and how far it gets, side by side over settings: neither means much alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core import pose
from wm_core.errors import ConfigError

from . import SearchConfig
from .device import DeviceSearch, Found

Array = NDArray[np.float64]
Make = Callable[[SearchConfig], DeviceSearch]

#: Away from the edges of the default workspace box, the tool pointing straight down, the gripper half closed.
MIDDLE_STATE = (0.45, 0.0, 0.3, np.pi, 0.0, 0.0, 0.5)
#: (samples, iterations, elites), from the cheapest on: what :func:`cheapest_equal` tries if it is not told.
GRID = ((50, 3, 5), (100, 3, 8), (100, 5, 8), (200, 4, 10), (200, 5, 10), (200, 8, 10), (400, 6, 10), (400, 10, 10))


@dataclass(frozen=True)
class Query:
    """What one plan is asked: latent and goal (T, C), state (7,), and perhaps a mean (H, 7) to begin around."""

    latent: NDArray[np.float32]
    goal: NDArray[np.float32]
    state: Array
    mean: Array | None = None


def random_queries(search: DeviceSearch, count: int, steps: int = 3, seed: int = 0) -> list[Query]:
    """Starts of standard normal latents, and goals that ``steps`` random actions of the model's range lead to.

    So a goal is one that the model believes in; with more steps than the horizon it is out of reach of one plan.
    """
    rng, spec = np.random.default_rng(seed), search.spec
    shape, state = (spec.latent.tokens, spec.latent.channels), np.array(MIDDLE_STATE)
    queries = []
    for _ in range(count):
        latent = rng.standard_normal(shape, dtype=np.float32)
        actions = rng.uniform(spec.action.low, spec.action.high, (1, steps, pose.STATE_DIM))
        queries.append(Query(latent, search.imagine(latent, state, actions)[0], state))
    return queries


def next_queries(search: DeviceSearch, queries: Sequence[Query]) -> list[Query]:
    """What is asked one step later if each plan's first step does what the model says, with a mean to begin around."""
    after = []
    for query in queries:
        found = _plan(search, query)
        latent = search.imagine(query.latent, query.state, found.mean[None, :1])[0]
        after.append(Query(latent, query.goal, pose.integrate(query.state, found.mean[0]), shifted(found.mean)))
    return after


def shifted(mean: Array) -> Array:
    """A plan (H, 7) one step later: its last step is repeated."""
    return np.concatenate([mean[1:], mean[-1:]])


def plan_benchmark(
    search: DeviceSearch, repeats: int = 20, warmup: int = 2, queries: Sequence[Query] | None = None
) -> dict[str, Any]:
    """Time ``repeats`` plans after ``warmup`` ones, in turn over ``queries`` (8 random ones if None).

    Returns ``p50_ms``, ``p99_ms``, ``min_ms``; ``energy``, the model's of the returned mean, averaged over the queries;
    ``still_energy``, that of standing still; ``rollouts`` per plan; and what :meth:`DeviceSearch.info` says.
    """
    queries = random_queries(search, 8) if queries is None else queries
    if repeats < 1 or warmup < 0 or not queries:
        raise ConfigError("a benchmark of plans needs at least one repeat and one query")
    for k in range(warmup):
        _plan(search, queries[k % len(queries)])
    times = []
    for k in range(repeats):
        start = time.perf_counter()
        _plan(search, queries[k % len(queries)])  # its answer is on the host: nothing is left running
        times.append(1e3 * (time.perf_counter() - start))
    energy, still = np.mean([_energies(search, query) for query in queries], axis=0)
    return {
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "min_ms": min(times),
        "energy": float(energy),
        "still_energy": float(still),
        "rollouts": search.config.samples * search.config.iterations,
        **search.info(),
    }


def compare(
    make: Make, settings: Sequence[SearchConfig], queries: Sequence[Query], repeats: int = 20, warmup: int = 2
) -> Iterator[dict[str, Any]]:
    """:func:`plan_benchmark` of each setting as it comes. ``make`` builds a search; all may share a predictor."""
    for setting in settings:
        search = make(setting)
        try:
            yield plan_benchmark(search, repeats, warmup, queries)
        finally:
            search.close()


def cheapest_equal(
    make: Make,
    reference: SearchConfig,
    queries: Sequence[Query],
    grid: Sequence[tuple[int, int, int]] = GRID,
    share: float = 0.99,
    repeats: int = 20,
    warmup: int = 2,
    warm_std: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """How few samples x iterations get as far as the reference: its row, then one per setting until one is equal.

    Settings (samples, iterations, elites) are tried from the fewest rollouts on. A row has besides the figures of
    :func:`plan_benchmark` the ``share`` of the reference's fall in energy below standing still that it reaches, and
    whether that is ``equal``: at least ``share``. ``warm_std`` is that of the settings; the reference starts anew.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigError(f"share = {share} must be above 0 and at most 1")
    tried = [replace(reference, warm_std=0.0)]
    for samples, iterations, elites in sorted(grid, key=lambda s: s[0] * s[1]):
        tried.append(replace(reference, samples=samples, iterations=iterations, elites=elites, warm_std=warm_std))
    fall = 0.0
    for number, row in enumerate(compare(make, tried, queries, repeats, warmup)):
        gained = row["still_energy"] - row["energy"]
        fall = gained if number == 0 else fall
        # Where the reference itself gains nothing, whatever loses nothing is equal.
        reached = gained / fall if fall > 0.0 else float(gained >= fall)
        yield {**row, "share": reached, "equal": reached >= share}
        if number > 0 and reached >= share:
            return


def _plan(search: DeviceSearch, query: Query) -> Found:
    return search.plan(query.latent, query.goal, query.state, mean=query.mean)


def _energies(search: DeviceSearch, query: Query) -> tuple[float, float]:
    """Of the mean that a search returns, and of standing still."""
    mean = _plan(search, query).mean
    both = search.energy(query.latent, query.goal, query.state, np.stack([mean, np.zeros_like(mean)]))
    return float(both[0]), float(both[1])
