"""``wm train``: train the world model that ships here, or another architecture on the same data."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from wm_core import install, seeds
from wm_data.formats import DEFAULT, FORMATS
from wm_models import architectures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data/panda_pick_place"), help="folder of the data")
    parser.add_argument("--format", dest="kind", default=DEFAULT, help="of the data set: " + ", ".join(FORMATS))
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="folder of the run; resumed if it exists")
    parser.add_argument("--arch", default="conv_jepa", help="conv_jepa (the one that ships) or lewm")
    parser.add_argument("--iterations", type=int, help="optimiser steps, if not what suits the architecture")
    parser.add_argument("--seed", type=seeds.option, default=0, help="of initialisation and batches")
    parser.add_argument("--learning-rate", type=float, help="peak of the cosine schedule, likewise")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")


def run(args: argparse.Namespace) -> int:
    architectures.check(args.arch)  # a name that nobody knows is no question of what is installed
    try:
        import torch
        from tqdm import tqdm
    except ImportError:
        from wm_core.errors import WmError

        raise WmError(f"training needs PyTorch: {install.extra('train')}") from None
    from wm_bringup.cli import interrupted_status
    from wm_training.dataset import Episodes
    from wm_training.proposal import ProposalConfig
    from wm_training.recipes import recipe
    from wm_training.train import TrainConfig, Trainer

    torch.set_num_threads(max(1, args.threads))
    asked = {name: getattr(args, name) for name in ("iterations", "learning_rate") if getattr(args, name) is not None}
    config = TrainConfig(**(recipe(args.arch).settings | asked), seed=args.seed)
    trainer = Trainer(Episodes(args.data, args.kind), args.out, config, args.arch)
    with tqdm(total=config.iterations, unit="it", desc=str(args.out)) as bar:

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
    settings = ProposalConfig(seed=args.seed)
    with tqdm(total=settings.iterations, unit="it", desc="proposal") as bar:
        trainer.train_proposal(settings, lambda count, terms: bar.update(count))
    print("held out: " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return 0
