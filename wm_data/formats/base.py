"""The one shape of every format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from wm_core.errors import WmError

from ..episode import DataSpec, Episode


class DataFormat(ABC):
    """A data set in a folder; one that is not there yet can be begun. Formats of others' data need not write."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @abstractmethod
    def spec(self) -> DataSpec:
        """What holds for all episodes. Raises WmError where there is no data set, or none that can be read."""

    @abstractmethod
    def episodes(self) -> Iterator[Episode]:
        """All episodes in order. Raises WmError where some are missing or damaged."""

    def begin(self, spec: DataSpec) -> list[range]:
        """Prepare the folder for the episodes of ``spec``, or go on with those that it has.

        Returns the numbers of the episodes that are missing, in parts to be written at once. Raises WmError where the
        folder holds data of another specification.
        """
        raise WmError(f"data cannot be written in the format of {self.folder}, only read; choose another --format")

    def write(self, numbers: range, episodes: Sequence[Episode]) -> None:
        """Write one part; several processes may, each its own. It is then there whole, or not at all."""
        raise NotImplementedError
