"""Imagination with any back end: what is imagined comes through numpy, chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.axes import Axes
from wm_core.pose import Array

from ..world_model import WorldModel, finite
from .base import GOAL, Handle, Imagination, Parts


class HostImagination(Imagination):
    """Asks a :class:`WorldModel`. A handle is the latent itself."""

    def __init__(self, model: WorldModel, axes: Axes | None = None, parts: Parts | None = None) -> None:
        super().__init__(model.spec, model.latent_shape, axes, parts)
        self._model = model

    def take(self, latent: ArrayLike) -> Handle:
        """See :class:`Imagination`."""
        own = finite("latent", latent, self.latent_shape).copy()
        own.setflags(write=False)
        return own

    def show(self, latent: Handle) -> NDArray[np.float32]:
        """See :class:`Imagination`."""
        shown: NDArray[np.float32] = latent
        return shown

    def distance(self, now: Handle, goal: Handle) -> float:
        """See :class:`Imagination`."""
        return float(self._model.energy(now, goal))

    def _price(
        self, now: Handle, state: Array, actions: Array, goal: Handle, terms: Sequence[str]
    ) -> Mapping[str, NDArray[Any]]:
        samples, horizon = actions.shape[:2]
        values = {name: np.empty((samples, horizon), dtype=np.float32) for name in terms}
        start, moves = state.astype(np.float32), actions.astype(np.float32)
        chunk = self._model.chunk(horizon)
        for first in range(0, samples, chunk):
            part = slice(first, first + chunk)
            latents, _ = self._model.rollout(now, start, moves[part])
            for name in terms:
                if name == GOAL:
                    values[name][part] = self._model.energy(latents, goal)
                else:
                    flat = latents.reshape(-1, *self.latent_shape)
                    values[name][part] = self._term_values(name, flat, goal).reshape(latents.shape[:2])
        return values

    def _foresee(self, now: Handle, state: Array, actions: Array) -> Handle:
        latents, _ = self._model.rollout(now, state, actions[None])
        return np.ascontiguousarray(latents[0, -1])

    def info(self) -> dict[str, Any]:
        """See :class:`Imagination`."""
        return self._model.info()["predictor"]

    def close(self) -> None:
        """See :class:`Imagination`."""
        super().close()
        self._model.close()
