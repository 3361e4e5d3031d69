"""``wm picture``: draw a simulated run again with the visual meshes, as one picture for people.

The run must have kept a trace: ``wm pick_place --set sim_arm.trace=FILE.npz``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup.commands import refuse_to_replace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, help="trace of the run (.npz)")
    parser.add_argument("out", type=Path, help="picture to write (.png)")
    parser.add_argument("--force", action="store_true", help="replace the picture that is there")
    parser.add_argument("--columns", type=int, default=4, help="tiles in a row")
    parser.add_argument("--rows", type=int, default=2, help="rows of tiles, evenly spaced in time")


def run(arguments: argparse.Namespace) -> int:
    refuse_to_replace(arguments.out, arguments.force)
    import cv2
    import numpy as np
    from tqdm import tqdm

    from wm_core.errors import WmError
    from wm_sim.scene import PandaScene

    try:
        with np.load(arguments.trace) as file:
            joints = file["qpos"]
    except (OSError, KeyError, ValueError) as error:
        raise WmError(f"cannot read the trace {arguments.trace}: {error}") from None
    rows, columns = max(1, arguments.rows), max(1, arguments.columns)
    scene = PandaScene()
    try:
        tiles = []
        for index in tqdm(np.linspace(0, len(joints) - 1, rows * columns).round().astype(int), unit="tile"):
            scene.show(joints[index])
            tiles.append(scene.render(visual=True, height=300, width=400).copy())
    finally:
        scene.close()
    picture = np.concatenate([np.concatenate(tiles[r * columns : (r + 1) * columns], axis=1) for r in range(rows)])
    if not cv2.imwrite(str(arguments.out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise WmError(f"cannot write {arguments.out}")
    return 0
