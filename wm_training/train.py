"""End-to-end training of a JEPA: deterministic for a seed and thread count, and it resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_core import results
from wm_core.config import from_layers
from wm_core.errors import ConfigError, WmError
from wm_models import architectures
from wm_models.architectures import ARCHITECTURES

from .dataset import Episodes
from .losses import LOSSES, Loss, Window
from .proposal import ProposalConfig, ProposalTrainer, encode_all
from .recipes import RECIPES
from .recipes.base import Recipe, build, sizes_of

#: Camera frames are shown to the encoder as (x / 255 - MEAN) / STD.
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
CHECKPOINT = "checkpoint.pt"
PROPOSAL = "proposal.pt"
METRICS = "metrics.json"


#: The objective, if a recipe says nothing else, in the order in which it is computed.
DEFAULT_LOSSES = ("teacher", "rollout", "inverse", "sigreg", "state")


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained. ``losses``: the terms of the objective by name, see :mod:`wm_training.losses`."""

    iterations: int = 5000
    windows: int = 64
    horizon: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: int = 200
    losses: dict[str, Loss] = field(default_factory=lambda: {name: LOSSES.load(name)() for name in DEFAULT_LOSSES})
    holdout: float = 0.03
    seed: int = 0
    save_every: int = 500

    def __post_init__(self) -> None:
        if not self.losses:
            raise ConfigError("losses must hold at least one loss, such as teacher")


def train_config(recipe: str, *layers: tuple[str, dict[str, Any]]) -> TrainConfig:
    """The settings that suit a recipe, and over them ``layers``, as in :func:`wm_core.config.from_layers`.

    Raises WmError on an unknown recipe, ConfigError on a setting or a loss that is not known.
    """
    usual: dict[str, Any] = {"losses": {name: {} for name in DEFAULT_LOSSES}}
    below = [("", usual), (f"the recipe {recipe}", RECIPES.load(recipe).settings)]
    return from_layers(TrainConfig, [*below, *layers], "the training")


def normalise(frames: np.ndarray) -> Tensor:
    """Frames (..., px, px, 3) uint8 to the encoder's input (N, 3, px, px), flattened over leading dimensions."""
    x = torch.from_numpy(frames.reshape(-1, *frames.shape[-3:])).permute(0, 3, 1, 2).float()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (x / 255.0 - mean) / std


class Objective(nn.Module):
    """The sum of losses, each times its weight. Holds the parameters that some of them bring."""

    def __init__(self, losses: Mapping[str, Loss], model: Recipe) -> None:
        super().__init__()
        self._weights = {name: loss.weight for name, loss in losses.items()}
        self._terms = {name: loss.make(model) for name, loss in losses.items()}
        self.own = nn.ModuleDict({name: term for name, term in self._terms.items() if isinstance(term, nn.Module)})

    def forward(
        self, model: Recipe, frames: np.ndarray, states: np.ndarray, actions: np.ndarray
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch of windows (see :meth:`Episodes.windows`), its terms, and ``copy``.

        That is the error of a predictor for which nothing ever changes, which the others are to be compared with.
        """
        s, a = torch.from_numpy(states), torch.from_numpy(actions)
        z = model.encoder(normalise(frames)).view(*states.shape[:2], 1, -1)
        window = Window(z, s, a, model.predict(z, s, a))
        terms = {name: term(window) for name, term in self._terms.items()}
        loss = sum((self._weights[name] * value for name, value in terms.items()), start=torch.zeros(()))
        terms = {"loss": loss, **terms, "copy": (z[:, 1:] - z[:, :-1]).square().mean()}
        return loss, {name: float(value.detach()) for name, value in terms.items()}


class Trainer:
    """One training run in ``folder``: checkpoint, metrics. Continues a run that is already there.

    Args:
        recipe: one of :data:`wm_training.recipes.RECIPES`.
        sizes: of its architecture, if not the ones that are trained here.

    Raises WmError where the folder holds a run of another configuration.
    """

    def __init__(
        self,
        episodes: Episodes,
        folder: str | Path,
        config: TrainConfig,
        recipe: str = "conv_jepa",
        sizes: dict[str, Any] | None = None,
    ) -> None:
        self.episodes, self.config, self.folder = episodes, config, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.model = build(recipe, sizes)
        self.objective = Objective(config.losses, self.model)
        self._parameters = [*self.model.parameters(), *self.objective.parameters()]
        self.rng = np.random.default_rng(config.seed)
        split = np.random.default_rng(config.seed).permutation(len(episodes))
        held = max(1, round(config.holdout * len(episodes)))
        self.held_out, self.training = split[:held], split[held:]
        decay = [p for p in self._parameters if p.ndim > 1]
        rest = [p for p in self._parameters if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}],
            lr=config.learning_rate,
        )
        self.iteration = 0
        self.setup = {
            "recipe": recipe,
            "architecture": self.model.architecture,
            "train": asdict(config),
            "model": sizes_of(self.model),
            "data": episodes.spec.as_dict(),
        }
        if (self.folder / CHECKPOINT).exists():
            self._resume()

    def _resume(self) -> None:
        saved = torch.load(self.folder / CHECKPOINT, weights_only=True)
        if saved["setup"] != json.dumps(self.setup, sort_keys=True):
            raise WmError(f"{self.folder} holds a run of another configuration; choose another folder with --out")
        self.model.load_state_dict(saved["model"])
        self.objective.load_state_dict(saved["objective"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.iteration = saved["iteration"]
        self.rng.bit_generator.state = json.loads(saved["numpy_rng"])
        torch.set_rng_state(saved["torch_rng"])

    def save(self) -> None:
        """Write the checkpoint; atomically, so that a kill in between loses nothing."""
        partial = self.folder / (CHECKPOINT + ".partial")
        torch.save(
            {
                "setup": json.dumps(self.setup, sort_keys=True),
                "model": self.model.state_dict(),
                "objective": self.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "iteration": self.iteration,
                "numpy_rng": json.dumps(self.rng.bit_generator.state),
                "torch_rng": torch.get_rng_state(),
            },
            partial,
        )
        partial.rename(self.folder / CHECKPOINT)

    def _mode(self, training: bool) -> None:
        self.model.train(training)
        self.objective.train(training)

    def _learning_rate(self) -> float:
        c = self.config
        warm = min(1.0, (self.iteration + 1) / c.warmup)
        return c.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * self.iteration / c.iterations))

    def run(self, progress: Callable[[int, dict[str, float]], None] = lambda n, terms: None) -> dict[str, float]:
        """Train to the last iteration and return the held-out terms, which also go to ``metrics.json``."""
        c = self.config
        progress(self.iteration, {})
        self._mode(training=True)
        while self.iteration < c.iterations:
            for group in self.optimiser.param_groups:
                group["lr"] = self._learning_rate()
            batch = self.episodes.windows(self.rng, self.training, c.windows, c.horizon)
            loss, terms = self.objective(self.model, *batch)
            if not math.isfinite(terms["loss"]):
                raise WmError(f"the loss is not finite at iteration {self.iteration}; lower --learning-rate")
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
            self.optimiser.step()
            self.iteration += 1
            progress(1, terms)
            if self.iteration % c.save_every == 0 or self.iteration == c.iterations:
                self.save()
        metrics = self.evaluate()
        results.write_json(self.folder / METRICS, {"held_out": metrics, **self.setup})
        return metrics

    @property
    def proposes(self) -> bool:
        """Whether the architecture has a proposal to be trained."""
        return "proposal" in ARCHITECTURES.load(self.model.architecture).parts

    def train_proposal(
        self, config: ProposalConfig, progress: Callable[[int, dict[str, float]], None] = lambda n, terms: None
    ) -> None:
        """Train the proposal on the finished model's latents and write it to ``proposal.pt``. Minutes; not resumed."""
        latents = encode_all(self.model, self.episodes, normalise)
        trainer = ProposalTrainer(self.model, self.episodes, latents, self.training, config)
        torch.save(trainer.run(progress).state_dict(), self.folder / PROPOSAL)

    @torch.no_grad()
    def evaluate(self, batches: int = 8) -> dict[str, float]:
        """Mean terms over held-out windows, with BatchNorm's running statistics, as deployed."""
        self._mode(training=False)
        rng = np.random.default_rng(0)
        c = self.config
        rows = [
            self.objective(self.model, *self.episodes.windows(rng, self.held_out, c.windows, c.horizon))[1]
            for _ in range(batches)
        ]
        self._mode(training=True)
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def load_model(folder: str | Path) -> tuple[Recipe, dict[str, Any]]:
    """The trained model of a run, in evaluation mode, and the run's set-up. Raises WmError if there is none."""
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        raise WmError(f"there is no trained model in {folder}; run 'wm train --out {folder}' first")
    saved = torch.load(path, weights_only=True)
    setup = json.loads(saved["setup"])
    if "recipe" not in setup:
        raise WmError(f"{folder} holds a run of an earlier version, which this one cannot read; run 'wm train' again")
    model = build(setup["recipe"], setup["model"])
    model.load_state_dict(saved["model"])
    return model.eval(), setup


def load_proposal(folder: str | Path, setup: dict[str, Any]) -> nn.Module | None:
    """The trained proposal of a run with this set-up, in evaluation mode; None if the run has none."""
    path = Path(folder) / PROPOSAL
    if not path.exists():
        return None
    proposal = architectures.build(setup["architecture"], "proposal", setup["model"])
    proposal.load_state_dict(torch.load(path, weights_only=True))
    return proposal
