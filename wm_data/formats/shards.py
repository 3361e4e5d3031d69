"""This repository's own format: ``data.json`` with the specification, and shards of a few episodes each.

``shard_<k>.npz`` holds the arrays of :class:`~wm_data.episode.Episode` with an axis of episodes in front, all of one
length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wm_core import results
from wm_core.errors import WmError

from ..episode import ARRAYS, DataSpec, Episode
from .base import DataFormat

META = "data.json"
EPISODES_PER_SHARD = 25


class Shards(DataFormat):
    """See the module."""

    def spec(self) -> DataSpec:
        path = self.folder / META
        if not path.exists():
            raise WmError(f"there are no data in {self.folder}; collect some with 'wm data generate'")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WmError(f"cannot read {path} ({error}); restore it, or make the data again") from None
        if not isinstance(values, dict):
            raise WmError(f"{path} must hold a mapping; restore it, or make the data again")
        return DataSpec.read(values, str(path))

    def episodes(self) -> Iterator[Episode]:
        spec, count = self.spec(), 0
        for shard in sorted(self.folder.glob("shard_*.npz")):
            try:
                with np.load(shard, allow_pickle=False) as file:
                    arrays = [file[name] for name in ARRAYS]
            except Exception as error:
                raise WmError(f"{shard} is damaged ({error}); delete it and run '{spec.made_by}' again") from None
            for row in zip(*arrays, strict=True):
                episode = Episode(*row)
                episode.check(spec, f"{shard}, episode {count}")
                yield episode
                count += 1
        if count != spec.episodes:
            raise WmError(f"{self.folder} holds {count} of {spec.episodes} episodes; run '{spec.made_by}' again")

    def begin(self, spec: DataSpec) -> list[range]:
        meta = self.folder / META
        if not meta.exists():
            results.write_json(meta, spec.as_dict())
        elif self.spec() != spec:
            raise WmError(f"{self.folder} holds data of another configuration; choose an empty folder with --out")
        parts = (
            range(first, min(first + EPISODES_PER_SHARD, spec.episodes))
            for first in range(0, spec.episodes, EPISODES_PER_SHARD)
        )
        return [part for part in parts if not self._shard(part).exists()]

    def write(self, numbers: range, episodes: Sequence[Episode]) -> None:
        arrays: dict[str, Any] = {name: np.stack([getattr(episode, name) for episode in episodes]) for name in ARRAYS}
        path = self._shard(numbers)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.rename(path)

    def _shard(self, numbers: range) -> Path:
        return self.folder / f"shard_{numbers.start // EPISODES_PER_SHARD:04d}.npz"


KIND = Shards
