"""LeWorldModel at a size that a CPU trains: it looks back on a window of frames, and is told no arm state."""

from __future__ import annotations

import torch
from torch import Tensor

from wm_models.action_map import ActionMap
from wm_models.architectures.lewm import Config
from wm_models.layers.proposal import Scaling

from .base import MOVED, Prediction, Recipe

_SCALE = tuple(Scaling().action[d] for d in MOVED)


class LeWm(Recipe):
    """See :class:`Recipe`."""

    architecture = "lewm"
    #: A window of the model's history; the learning rate is for transformers.
    settings = {  # noqa: RUF012
        "horizon": 3,
        "windows": 48,
        "iterations": 4500,
        "losses": {
            "inverse": {"weight": 4.0},  # nothing else tells it of the fingers, a few pixels wide
            "state": None,  # which it does not predict
        },
    }
    small = Config(
        image_px=64,
        patch_px=8,
        encoder_width=64,
        encoder_depth=3,
        encoder_heads=4,
        encoder_hidden=256,
        latent_dim=32,
        projector_hidden=256,
        predictor_depth=3,
        predictor_heads=4,
        predictor_head_dim=32,
        predictor_hidden=256,
        action_hidden=128,
        dropout=0.0,
        # Not statistics but scales: most deltas are zero in some dimension, and a delta of zero shall stay zero.
        actions=ActionMap(MOVED, 1, (0.0,) * len(MOVED), _SCALE),
    )

    @property
    def latent_dim(self) -> int:
        return self.sizes.latent_dim

    @property
    def image_px(self) -> int:
        return self.sizes.image_px

    def predict(self, latents: Tensor, states: Tensor, actions: Tensor) -> Prediction:
        forced = self.predictor.predictions(latents[:, :-1], actions)
        window, rolled = latents[:, :1], []
        for step in range(actions.shape[1]):
            following = self.predictor.predictions(window, actions[:, : step + 1])[:, -1:]
            rolled.append(following)
            window = torch.cat([window, following.unsqueeze(2)], dim=1)
        return Prediction(forced.unsqueeze(2), torch.stack(rolled, dim=1), torch.zeros(()))


KIND = LeWm
