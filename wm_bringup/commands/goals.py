"""``wm goals``: let the scripted expert act once in a simulated scene and keep nothing but the pictures."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="scene")
    parser.add_argument("--count", type=int, default=8, help="number of pictures, the last one is the end")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures, in order of their names")


def run(arguments: argparse.Namespace) -> int:
    from wm_sim.expert import record_goals

    record_goals(arguments.seed, arguments.output, goals=arguments.count)
    return 0
