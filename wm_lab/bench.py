"""Every back end on one bundle, side by side: milliseconds per frame, per rollout and per plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wm_core.errors import WmError
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel


@dataclass(frozen=True)
class Setting:
    """A search as the planner runs it: candidates per iteration, iterations per plan, steps per candidate."""

    samples: int
    iterations: int
    horizon: int


@dataclass(frozen=True)
class Row:
    """What one back end took, in milliseconds, p50 and p99; or why it could not run, in ``fault``."""

    backend: str
    precision: str = ""
    threads: int = 0
    frame_ms: tuple[float, float] = (np.nan, np.nan)
    plan_ms: tuple[float, float] = (np.nan, np.nan)
    fault: str = ""

    def cells(self) -> list[str]:
        """For a table: back end, precision, threads, ms per frame, ms per plan."""
        if self.fault:
            return [self.backend, "-", "-", self.fault, ""]
        pairs = (f"{low:.2f} / {high:.2f}" for low, high in (self.frame_ms, self.plan_ms))
        return [self.backend, self.precision, str(self.threads), *pairs]


def measure(bundle: Bundle, backend: str, setting: Setting, repeats: int, threads: int) -> Row:
    """Time the encoder on one frame, and all that a plan asks of the model: the candidates' prices, not the search."""
    rng = np.random.default_rng(0)
    encoder = WorldModel(bundle, backend, threads, parts=("encoder",))
    try:
        model = imagination.load(bundle, backend, threads)
    except BaseException:
        encoder.close()
        raise
    try:
        frame = rng.integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
        latent, goal = (model.take(encoder.encode(some)[0]) for some in (frame, frame[:, ::-1].copy()))
        state = np.array([0.5, 0.0, 0.3, np.pi, 0.0, 0.0, 0.0])
        low, high = np.array(bundle.spec.action.low), np.array(bundle.spec.action.high)
        actions = rng.uniform(low, high, (setting.samples, setting.horizon, 7))

        def plan() -> None:
            for _ in range(setting.iterations):
                model.price(latent, state, actions, goal)

        model.ready(setting.samples, setting.horizon)
        return Row(
            backend,
            str(model.info()["precision"]),
            threads,
            _percentiles(lambda: encoder.encode(frame), max(repeats, 20)),
            _percentiles(plan, repeats),
        )
    finally:
        model.close()
        encoder.close()


def table(bundle: Bundle, backends: Sequence[str], setting: Setting, repeats: int, threads: int) -> Iterator[Row]:
    """One row per back end, as they are measured. One that cannot run here says why instead."""
    for backend in backends:
        try:
            yield measure(bundle, backend, setting, repeats, threads)
        except WmError as error:
            yield Row(backend, fault=str(error))


def _percentiles(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    run()  # the first one allocates
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))
