"""``wm soak``: repeat pick and places for minutes or hours in one live graph, and measure what only time shows.

All nodes live for the whole time. Measured are the growth of each node's memory, the jitter of the command stream, the
latency from frame to plan and to the first command, holds that nobody asked for, and the result of each episode. Ends
with 0 if all is within the limits, 1 if not, 2 if it could not run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup import paths
from wm_core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=60.0, help="how long")
    parser.add_argument("--scenes", type=int, default=8, help="how many scenes take turns")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--seed", type=seeds.option, default=0, help="first scene")
    parser.add_argument("--goals", type=int, default=8, help="how many pictures the expert takes of each scene")
    parser.add_argument("--model", metavar="BUNDLE", default=paths.DEFAULT_BUNDLE, help="model bundle")
    parser.add_argument("--config", type=Path, metavar="FOLDER", help="folder of <node>.yaml files")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.KEY=VALUE", help="one parameter")
    parser.add_argument("--max-seconds", type=float, metavar="S", default=30.0, help="give up an episode after this")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="where to put the record")


def run(arguments: argparse.Namespace) -> int:
    from wm_bringup.run_config import RunConfig

    config = RunConfig.of(arguments)
    from wm_bringup.soak import Soak
    from wm_bringup.terminal import Interrupts

    with Interrupts() as interrupted:
        return Soak(config, interrupted, arguments.minutes, arguments.scenes, arguments.json).run()
