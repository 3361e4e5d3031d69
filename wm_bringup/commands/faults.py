"""``wm faults``: do what goes wrong in a lab to the live simulated graph, and measure how the arm comes to rest.

For each fault the whole graph starts anew, the arm moves, the fault is done, undone where it can be, and everything is
taken down. Measured are the time to the hold, the last motion, speeds and distances, violations of the envelope, and
what is left behind. Ends with 0 if every fault ended as declared, 1 if one did not, 2 if it could not run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup import paths
from wm_core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these faults instead of all")
    parser.add_argument("--list", action="store_true", help="name the faults and what is expected of each, and end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--seed", type=seeds.option, default=0, help="simulated scene")
    parser.add_argument("--goal", type=Path, metavar="FOLDER", help="goal pictures of that scene; else made once")
    parser.add_argument("--model", metavar="BUNDLE", default=paths.DEFAULT_BUNDLE, help="model bundle")
    parser.add_argument("--config", type=Path, metavar="FOLDER", help="folder of <node>.yaml files")
    parser.add_argument("--set", action="append", default=[], metavar="NODE.KEY=VALUE", help="one parameter")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="where to put the logs")


def run(arguments: argparse.Namespace) -> int:
    from wm_bringup.faults.table import chosen, listing
    from wm_bringup.run_config import RunConfig

    if arguments.list:
        print(listing())
        return 0
    config = RunConfig.of(arguments)
    from wm_bringup.faults.campaign import campaign
    from wm_bringup.terminal import Interrupts

    with Interrupts() as interrupted:
        return campaign(config, interrupted, chosen(arguments.only), arguments.json)
