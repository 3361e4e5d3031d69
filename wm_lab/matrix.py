"""Evaluation as a matrix: bundles x planners x cases, all in the same scenes, so that any two are compared in pairs.

Every finished episode is one line of JSON in a ledger: who (names, and digests of the bundle and of the effective
configuration), the seed, the result, and apart from it the timings. The result depends on nothing else, neither on
what ran before in the same process nor on how many ran beside it; so a run goes on where it was ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from typing import Any

from wm_core import seeds
from wm_core.errors import ConfigError

from .cell import Cell
from .evaluate import Case, Episode, Evaluator, Report, report
from .ledger import Ledger
from .proportions import mcnemar
from .workers import work


@dataclass(frozen=True)
class MatrixConfig:
    """The contents of a matrix file. Raises ConfigError where a value makes no sense.

    ``bundles`` and ``planners`` give names to folders and files, ``cases`` to what is asked; a planner without a file
    is the one that the bundle names. Each with each runs in the ``episodes`` scenes from ``seed`` on, in the envelope
    of ``controller``. ``backend`` and ``threads`` run the models; None: as the planner's file says. ``settings`` are
    values of planner and controller above all files, by node: ``{planner: {optimiser.samples: 64}}``.
    """

    bundles: dict[str, str]
    planners: dict[str, str | None] = field(default_factory=lambda: {"own": None})
    cases: dict[str, Case] = field(default_factory=lambda: {"plain": Case()})
    controller: str = "sim"
    seed: int = seeds.SCORES.start
    episodes: int = 100
    backend: str | None = None
    threads: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("bundles", "planners", "cases"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; name at least one")
            if odd := [key for key in getattr(self, name) if "," in key]:
                raise ConfigError(
                    f"{name}: the name '{odd[0]}' has a comma, which stands between names; choose another"
                )
        for node, values in self.settings.items():
            if node not in ("planner", "controller"):
                raise ConfigError(f"settings: nobody reads those of {node} here; there are: controller, planner")
            if odd := [key for key in values if key.split(".")[0] in ("axes", "bundle", "goal")]:
                raise ConfigError(f"settings: {node}.{odd[0]} is a bundle's or a case's here; say it there")
        if self.episodes < 1:
            raise ConfigError(f"episodes = {self.episodes} asks for no scene; give a number of 1 or more")
        if not 0 <= self.seed <= self.seed + self.episodes <= seeds.FIRST_TRAINING:
            raise ConfigError(f"scenes must have seeds within 0..{seeds.FIRST_TRAINING}; those above were trained on")

    @property
    def scenes(self) -> range:
        return range(self.seed, self.seed + self.episodes)


@dataclass(frozen=True)
class Pair:
    """Two cells in the scenes that both have finished; ``p`` is that of McNemar's exact test."""

    first: str
    second: str
    scenes: int
    only_first: int
    only_second: int
    p: float

    def text(self) -> str:
        return (
            f"{self.first} | {self.second}: of {self.scenes} scenes {self.only_first} placed by the first alone, "
            f"{self.only_second} by the second alone, p = {self.p:.3g}"
        )


class Evaluation:
    """The episodes of all cells in all scenes, as far as they are finished.

    Args:
        cells: with names of their own each.
        scenes: the seeds, the same for every cell.
        ledger: what it holds of these cells and scenes is not run again; None: nothing is kept.
    Raises:
        ConfigError: a line of the ledger that is ours cannot be read.
    """

    def __init__(self, cells: Sequence[Cell], scenes: range, ledger: Ledger | None = None) -> None:
        self.cells, self.scenes, self._ledger = cells, scenes, ledger
        self._found: dict[str, dict[int, Episode]] = {cell.name: {} for cell in cells}
        for line in () if ledger is None else ledger.lines:
            for cell in cells:
                if line.get("seed") in scenes and all(line.get(key) == value for key, value in cell.ids.items()):
                    try:
                        self._found[cell.name][line["seed"]] = Episode.of_record(line)
                    except (KeyError, TypeError):
                        raise ConfigError("a line of the ledger is of another version; choose another file") from None

    @property
    def total(self) -> int:
        return len(self.cells) * len(self.scenes)

    @property
    def episodes(self) -> list[Episode]:
        """All that are finished."""
        return [episode for cell in self.cells for episode in self.of(cell)]

    def of(self, cell: Cell) -> list[Episode]:
        """The finished episodes of a cell, by seed."""
        return [episode for _, episode in sorted(self._found[cell.name].items())]

    def report(self, cell: Cell) -> Report:
        """The scores of a cell. Raises WmError if none of its episodes is finished."""
        return report(self.of(cell))

    def run(self, workers: int, tick: Callable[[], None] = lambda: None) -> Generator[Episode, None, None]:
        """Run what is missing; see :func:`wm_lab.workers.work`."""
        jobs = [(cell, seed) for cell in self.cells for seed in self.scenes if seed not in self._found[cell.name]]
        with closing(work(_run, jobs, workers, tick)) as finished:
            for (cell, seed), episode in finished:
                if self._ledger is not None:
                    self._ledger.add({**cell.ids, "seed": seed, **episode.record()})
                self._found[cell.name][seed] = episode
                yield episode

    def pairs(self) -> list[Pair]:
        """Every two cells that differ in one thing alone: the bundle, the planner or the case."""
        found = []
        for one, other in itertools.combinations(self.cells, 2):
            if sum(getattr(one, part) != getattr(other, part) for part in ("bundle", "planner", "case")) == 1:
                a, b = self._found[one.name], self._found[other.name]
                both = [(a[seed].placed, b[seed].placed) for seed in a.keys() & b.keys()]
                first, second = both.count((True, False)), both.count((False, True))
                found.append(Pair(one.name, other.name, len(both), first, second, mcnemar(first, second)))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Scores and effective configurations of the cells that have begun, and the pairs."""
        return {
            "cells": [
                {**cell.ids, "config": cell.effective(), "scores": self.report(cell).as_dict()}
                for cell in self.cells
                if self.of(cell)
            ],
            "pairs": [asdict(pair) for pair in self.pairs()],
        }

    def text(self) -> str:
        """A table and the pairs, for people."""
        width = max(len(cell.name) for cell in self.cells)
        lines = [f"{'bundle, planner, case':{width}}  placed       95 % interval  steps  plan p50, p99 ms"]
        for cell in self.cells:
            if self.of(cell):
                r = self.report(cell)
                lines.append(
                    f"{cell.name:{width}}  {f'{r.placed} of {r.episodes}':11}  "
                    f"{100 * r.wilson_low:5.1f}-{100 * r.wilson_high:5.1f} %  {r.steps_mean:5.1f}  "
                    f"{r.plan_ms_p50:.1f}, {r.plan_ms_p99:.1f}"
                )
        return "\n".join([*lines, *(pair.text() for pair in self.pairs())])


#: The closed loop that this process has built last: it takes seconds.
_built: tuple[Cell, Evaluator] | None = None
_open = ExitStack()


def _run(job: tuple[Cell, int]) -> Episode:
    global _built
    cell, seed = job
    if _built is None or _built[0] != cell:
        _open.close()
        _built = cell, _open.enter_context(cell.opened())
    return _built[1].run(seed)
