"""A term that the bundle brings, such as a learned critic or the spread of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_core.errors import ConfigError

from .base import Array, Candidates, Cost


@dataclass(frozen=True)
class Term(Cost):
    """``weight`` times the mean over the steps of the bundle's term ``name``; a negative weight prefers more of it."""

    kind: str = "term"
    name: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a cost of the kind 'term' needs the name of a term of the bundle")
        if not np.isfinite(self.weight):
            raise ConfigError(f"weight = {self.weight} must be a finite number")

    @property
    def terms(self) -> tuple[str, ...]:
        """See :class:`Cost`."""
        return (self.name,)

    def __call__(self, candidates: Candidates) -> Array:
        """See :class:`Cost`."""
        return self.weight * candidates.terms[self.name].mean(axis=1)


KIND = Term
