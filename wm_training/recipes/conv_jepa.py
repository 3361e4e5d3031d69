"""The shipped architecture: its predictor sees one frame and the arm's state, and predicts the next state too."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import MOVED, Prediction, Recipe


class ConvJepa(Recipe):
    """See :class:`Recipe`."""

    architecture = "conv_jepa"

    @property
    def latent_dim(self) -> int:
        return self.sizes.latent_dim

    @property
    def image_px(self) -> int:
        return self.sizes.image_px

    def predict(self, latents: Tensor, states: Tensor, actions: Tensor) -> Prediction:
        horizon = actions.shape[1]
        forced, forced_state = self.predictor(_flat(latents[:, :-1]), _flat(states[:, :-1]), _flat(actions))
        error = self._state_error(forced_state, _flat(states[:, 1:]))
        latent, state, rolled = latents[:, 0], states[:, 0], []
        for step in range(horizon):
            latent, state = self.predictor(latent, state, actions[:, step])
            rolled.append(latent)
            if step > 0:  # the first step is the teacher-forced one
                error = error + self._state_error(state, states[:, step + 1]) / horizon
        return Prediction(forced.view_as(latents[:, 1:]), torch.stack(rolled, dim=1), error)

    def _state_error(self, predicted: Tensor, measured: Tensor) -> Tensor:
        return ((predicted - measured) / self.scale)[:, MOVED].square().mean()


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1, *x.shape[2:])


KIND = ConvJepa
