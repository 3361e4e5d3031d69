"""``wm data generate``: training data from the simulator."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path

from wm_core import seeds
from wm_core.errors import ConfigError
from wm_data.formats import DEFAULT, FORMATS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    generate = actions.add_parser(
        "generate",
        help="make training data in the simulator",
        formatter_class=parser.formatter_class,
    )
    generate.add_argument("--out", type=Path, default=Path("data/panda_pick_place"), help="folder of the data")
    generate.add_argument("--episodes", type=int, default=2400, help="episodes of 28 steps")
    generate.add_argument("--seed", type=seeds.option, default=0, help="another seed gives other scenes and motions")
    generate.add_argument(
        "--azimuth-range",
        dest="azimuth_range_deg",
        type=float,
        default=0.0,
        metavar="DEG",
        help="turn the camera of each episode by up to this to either side",
    )
    generate.add_argument(
        "--camera-axes", action="store_true", help="record states and actions in axes that turn with the camera"
    )
    generate.add_argument("--format", dest="kind", default=DEFAULT, help="of the data set: " + ", ".join(FORMATS))
    generate.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="simulator processes")


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from wm_lab.collect import CollectConfig, collect

    if args.workers < 1:
        raise ConfigError(f"--workers {args.workers} must be at least 1")
    known = {f.name for f in fields(CollectConfig)}
    config = CollectConfig(**{name: value for name, value in vars(args).items() if name in known})
    with tqdm(total=config.episodes, unit="episode", desc=str(args.out)) as bar:
        collect(args.out, config, args.workers, bar.update, args.kind)
    return 0
