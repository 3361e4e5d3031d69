"""Training of the proposal: which action led from here towards what was seen later in the same episode?

Runs after the world model, on its frozen latents. It imitates the data, so by itself it is behaviour cloning; the
planner only begins its search there, and the world model and the guardrails decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wm_models import architectures
from wm_models.layers.proposal import Proposal

from .dataset import Episodes
from .recipes.base import Recipe, sizes_of

_CHUNK = 512


@dataclass(frozen=True)
class ProposalConfig:
    iterations: int = 4000
    batch: int = 256
    learning_rate: float = 1e-3
    #: Noise on latents, so that a predicted or slightly different view is as good as a seen one.
    latent_noise: float = 0.05
    #: Goals of hindsight: this share lies within ``near_steps``, the rest anywhere later in the episode.
    near_share: float = 0.4
    near_steps: int = 6
    seed: int = 0


@torch.no_grad()
def encode_all(model: Recipe, episodes: Episodes, normalise: Callable[[np.ndarray], Tensor]) -> Tensor:
    """Latents (E, T+1, D) of every frame."""
    model.eval()
    frames = episodes.frames.reshape(-1, *episodes.frames.shape[2:])
    parts = [model.encoder(normalise(frames[i : i + _CHUNK]))[:, 0] for i in range(0, len(frames), _CHUNK)]
    return torch.cat(parts).view(len(episodes), episodes.steps + 1, -1)


class ProposalTrainer:
    """Trains a proposal on the latents (E, T+1, D) of :func:`encode_all`. ``training`` are the episodes to use."""

    def __init__(
        self, model: Recipe, episodes: Episodes, latents: Tensor, training: np.ndarray, config: ProposalConfig
    ) -> None:
        torch.manual_seed(config.seed)
        fresh = architectures.build(model.architecture, "proposal", sizes_of(model))
        assert isinstance(fresh, Proposal)
        self.proposal = fresh.train()
        self.config, self.training, self.latents = config, training, latents
        self.states, self.actions = torch.from_numpy(episodes.states), torch.from_numpy(episodes.actions)
        self.steps = episodes.steps

    def run(self, progress: Callable[[int, dict[str, float]], None] = lambda n, terms: None) -> Proposal:
        c = self.config
        rng = np.random.default_rng(c.seed)
        optimiser = torch.optim.AdamW(self.proposal.parameters(), lr=c.learning_rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, c.learning_rate, c.iterations, pct_start=0.05)
        for _ in range(c.iterations):
            loss, terms = self._loss(rng)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            progress(1, terms)
        return self.proposal.eval()

    def _loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        c, horizon = self.config, self.proposal.horizon
        which = rng.choice(self.training, c.batch)
        start = rng.integers(0, self.steps - horizon + 1, c.batch)
        last = self.steps - start
        near = rng.random(c.batch) < c.near_share
        ahead = rng.integers(1, np.where(near, np.minimum(c.near_steps, last), last) + 1)
        z, goal = (
            x + c.latent_noise * torch.randn_like(x)
            for x in (self.latents[which, start], self.latents[which, start + ahead])
        )
        mean, log_std, logits = self.proposal.heads(z[:, None], goal[:, None], self.states[which, start])
        wanted = self.actions[which[:, None], start[:, None] + np.arange(horizon)]
        error = wanted[..., :3] / self.proposal.action_scale[:3] - mean
        likelihood = (0.5 * (error * torch.exp(-log_std)).square() + log_std).mean()
        level = (wanted[..., 6].round() + 1).long()  # -1, 0, 1 are levels 0, 1, 2
        gripper = functional.cross_entropy(logits.reshape(-1, 3), level.reshape(-1))
        loss = likelihood + 0.5 * error.abs().mean() + gripper
        return loss, {"motion": float(error.abs().mean().detach()), "gripper": float(gripper.detach())}
