"""``wm train``: train the world model that ships here, or another architecture on the same data."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from wm_core import config, install, seeds
from wm_data.formats import DEFAULT, FORMATS
from wm_training.recipes import RECIPES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data/panda_pick_place"), help="folder of the data")
    parser.add_argument("--format", dest="kind", default=DEFAULT, help="of the data set: " + ", ".join(FORMATS))
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="folder of the run; resumed if it exists")
    parser.add_argument("--recipe", default="conv_jepa", help="what to train: " + ", ".join(RECIPES))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as losses.inverse.weight=2.0"
    )
    parser.add_argument("--iterations", type=int, help="optimiser steps, if not what suits the architecture")
    parser.add_argument("--seed", type=seeds.option, default=0, help="of initialisation and batches")
    parser.add_argument("--learning-rate", type=float, help="peak of the cosine schedule, likewise")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")


def run(args: argparse.Namespace) -> int:
    RECIPES.check(args.recipe)  # a name that nobody knows is no question of what is installed
    try:
        import torch
        from tqdm import tqdm
    except ImportError:
        from wm_core.errors import WmError

        raise WmError(f"training needs PyTorch: {install.extra('train')}") from None
    from wm_bringup.cli import interrupted_status
    from wm_training.dataset import Episodes
    from wm_training.proposal import ProposalConfig
    from wm_training.train import Trainer, train_config

    torch.set_num_threads(max(1, args.threads))
    given = {name: getattr(args, name) for name in ("iterations", "learning_rate", "seed")}
    options = {name: value for name, value in given.items() if value is not None}
    settings = train_config(args.recipe, ("", options), *map(_layer, args.set))
    trainer = Trainer(Episodes(args.data, args.kind), args.out, settings, args.recipe)
    with tqdm(total=settings.iterations, unit="it", desc=str(args.out)) as bar:

        def progress(count: int, terms: dict[str, float]) -> None:
            bar.update(count)
            if terms and trainer.iteration % 20 == 0:
                bar.set_postfix({name: f"{value:.3f}" for name, value in terms.items()}, refresh=False)

        try:
            metrics = trainer.run(progress)
        except KeyboardInterrupt as interrupt:
            trainer.save()
            bar.close()
            print(f"stopped at iteration {trainer.iteration}; run the same command again to go on")
            return interrupted_status(interrupt)
    if trainer.proposes:
        proposal = ProposalConfig(seed=settings.seed)
        with tqdm(total=proposal.iterations, unit="it", desc="proposal") as bar:
            trainer.train_proposal(proposal, lambda count, terms: bar.update(count))
    print("held out: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return 0


def _layer(word: str) -> tuple[str, dict[str, Any]]:
    """``"losses.inverse.weight=2.0"`` as a layer of the configuration."""
    key, value = config.assignment(word, "--set")
    for name in reversed(key.split(".")):
        value = {name: value}
    return f"--set {word}", value
