"""``wm goals``: let the scripted expert act once in a simulated scene and keep nothing but the pictures."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from wm_core import seeds
from wm_core.errors import WmError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=seeds.option, default=0, help="scene")
    parser.add_argument("--count", type=int, default=8, help="number of pictures, the last one is the end")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures, in order of their names")
    parser.add_argument("--force", action="store_true", help="remove the pictures that are in the folder already")


def run(arguments: argparse.Namespace) -> int:
    from wm_planner.goals import SUFFIXES
    from wm_sim.expert import record_goals

    folder = arguments.output
    old = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    if old and not arguments.force:
        raise WmError(
            f"{folder} holds {len(old)} pictures already, such as {old[0].name}, which would be goals as well; "
            "choose another --output, or remove them with --force"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the old ones, which go only when the new ones are all there.
        with tempfile.TemporaryDirectory(prefix=".goals.", dir=folder) as workspace:
            taken = record_goals(arguments.seed, workspace, goals=arguments.count)
            for path in old:
                path.unlink()
            for path in taken:
                path.replace(folder / path.name)
    except OSError as error:
        raise WmError(f"cannot write the goal pictures to {folder}: {error.strerror}") from None
    return 0
