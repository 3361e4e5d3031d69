"""How long a search takes and how far it gets, side by side over settings: neither means much alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_core.pose import STATE_DIM
from wm_models.imagination import Handle, Imagination
from wm_planner.action_space import ActionSpace
from wm_planner.costs import Query
from wm_planner.costs.goal import Goal
from wm_planner.optimisers.cem import CemConfig
from wm_planner.problem import PlanningProblem

Array = NDArray[np.float64]

#: Away from the edges of the default workspace box, the tool pointing straight down, the gripper half closed.
MIDDLE_STATE = (0.45, 0.0, 0.3, np.pi, 0.0, 0.0, 0.5)
#: (samples, iterations, elites), from the cheapest on: what :func:`cheapest_equal` tries if it is not told.
GRID = ((50, 3, 5), (100, 3, 8), (100, 5, 8), (200, 4, 10), (200, 5, 10), (200, 8, 10), (400, 6, 10), (400, 10, 10))
#: The search of V-JEPA 2-AC's own planner (arXiv 2506.09985; facebookresearch/vjepa2): one Gaussian over all seven
#: dimensions, whose mean is the answer.
PAPER = CemConfig(
    samples=800,
    iterations=10,
    elites=10,
    kept_elites=0,
    momentum=0.15,
    initial_std=1.0,
    initial_std_gripper=1.0,
    least_std=0.0,
    sample_std=True,
    gripper_odds=False,
    compete=False,
    answer="mean",
)


@dataclass(frozen=True)
class Row:
    """What a setting took per plan, in ms, and the energy that its plans end with, averaged over the queries."""

    setting: CemConfig
    p50_ms: float
    p99_ms: float
    energy: float
    #: That of standing still.
    still_energy: float
    #: Share of the reference's fall in energy below standing still.
    share: float = 1.0

    @property
    def rollouts(self) -> int:
        """Candidates of one plan."""
        return self.setting.samples * self.setting.iterations


def random_queries(model: Imagination, count: int, steps: int = 3, seed: int = 0) -> list[tuple[Handle, Handle]]:
    """Latents of standard normal numbers, and goals that ``steps`` random actions of the model's range lead to.

    So a goal is one that the model believes in; with more steps than the horizon it is out of reach of one plan.
    """
    rng, action = np.random.default_rng(seed), model.spec.action
    queries = []
    for _ in range(count):
        now = model.take(rng.standard_normal(model.latent_shape, dtype=np.float32))
        actions = rng.uniform(action.low, action.high, (steps, STATE_DIM))
        queries.append((now, model.foresee(now, np.array(MIDDLE_STATE), actions)))
    return queries


def measure(
    model: Imagination, setting: CemConfig, horizon: int, queries: Sequence[tuple[Handle, Handle]], repeats: int
) -> Row:
    """Time plans under the default limits, each from standing still, in turn over ``queries``. Raises ConfigError."""
    if repeats < 1 or not queries:
        raise ConfigError("a benchmark of plans needs at least one repeat and one query")
    action, cold = model.spec.action, replace(setting, warm_start=False)
    space = ActionSpace(action.low, action.high, action.gripper_levels)
    model.ready(setting.samples, horizon)
    optimiser, times, energies, state = cold.make(), [], [], np.array(MIDDLE_STATE)
    for k in range(-1, max(repeats, len(queries))):  # the first one allocates
        now, goal = queries[k % len(queries)]
        problem = PlanningProblem(model, space, Limits(), horizon, [Goal()], Query(now, goal, state, np.nan))
        start = time.perf_counter()
        optimiser.reset()
        found = optimiser.optimise(problem)
        if k >= 0:
            times.append(1e3 * (time.perf_counter() - start))
        if 0 <= k < len(queries):
            still = problem.score(np.zeros((1, horizon, STATE_DIM)))[0]
            energies.append((np.inf if found is None else found.cost, still))
    energy, still_energy = np.mean(energies, axis=0)
    p50, p99 = np.percentile(times, (50, 99))
    return Row(setting, float(p50), float(p99), float(energy), float(still_energy))


def cheapest_equal(
    model: Imagination,
    reference: CemConfig,
    horizon: int,
    queries: Sequence[tuple[Handle, Handle]],
    repeats: int = 20,
    share: float = 0.99,
    grid: Sequence[tuple[int, int, int]] = GRID,
) -> Iterator[Row]:
    """How few samples x iterations get as far as the reference: its row, then one per setting until one does.

    Settings (samples, iterations, elites) are tried from the fewest rollouts on, until one reaches ``share`` of the
    reference's fall in energy below standing still. Raises ConfigError.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigError(f"share = {share} must be above 0 and at most 1")
    first = measure(model, reference, horizon, queries, repeats)
    yield first
    fall = first.still_energy - first.energy
    for samples, iterations, elites in sorted(grid, key=lambda s: s[0] * s[1]):
        kept = min(reference.kept_elites, elites)
        setting = replace(reference, samples=samples, iterations=iterations, elites=elites, kept_elites=kept)
        row = measure(model, setting, horizon, queries, repeats)
        gained = row.still_energy - row.energy
        # Where the reference itself gains nothing, whatever loses nothing is equal.
        row = replace(row, share=gained / fall if fall > 0.0 else float(gained >= fall))
        yield row
        if row.share >= share:
            return


def ablation(setting: CemConfig) -> Iterator[tuple[str, CemConfig]]:
    """From the paper's search to ``setting``, one change after the other, with what each is called."""
    now = replace(PAPER, samples=setting.samples, iterations=setting.iterations, elites=setting.elites)
    yield "as the paper", now
    for name in ("answer", "compete", "kept_elites", "sample_std", "least_std", "gripper_odds", "momentum"):
        now = replace(now, **{name: getattr(setting, name)})
        yield f"{name} = {getattr(setting, name)}", now
    yield "initial_std, as the setting", setting
