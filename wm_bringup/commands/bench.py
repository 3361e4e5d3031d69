"""``wm bench``: how long the parts of the live graph take.

``wm bench live`` starts the simulated graph as ``wm pick_place`` does, acts for a while, and prints a frame's walk: how
long after its exposure the camera's driver, the encoder and the planner published, the controller took the plan, and
the first target that follows it was sent. What back ends take on their own: ``wm models bench``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup import paths
from wm_core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="bench_action", required=True, metavar="ACTION")
    live = actions.add_parser("live", help="a frame's walk through the live graph", description=__doc__)
    live.add_argument("--seconds", type=float, default=30.0, help="how long the arm acts at most")
    live.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    live.add_argument("--seed", type=seeds.option, default=0, help="simulated scene")
    live.add_argument("--goal", type=Path, metavar="FOLDER", help="goal pictures of that scene; else made")
    live.add_argument("--model", metavar="BUNDLE", default=paths.DEFAULT_BUNDLE, help="model bundle")
    live.add_argument("--config", type=Path, metavar="FOLDER", help="folder of <node>.yaml files")
    live.add_argument("--set", action="append", default=[], metavar="NODE.KEY=VALUE", help="one parameter")
    live.add_argument("--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="where to put the record")


def run(arguments: argparse.Namespace) -> int:
    from wm_bringup.run_config import RunConfig

    config = RunConfig.of(arguments)
    from wm_bringup.live_bench import bench
    from wm_bringup.terminal import Interrupts

    with Interrupts() as interrupted:
        return bench(config, interrupted, arguments.seconds, arguments.json)
