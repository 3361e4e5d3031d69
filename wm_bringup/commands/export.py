"""``wm export``: a trained run as a model bundle."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, default=Path("runs/train"), help="folder of the run")
    parser.add_argument("--out", type=Path, default=Path("models/panda_pick_place"), help="folder of the bundle")
    parser.add_argument("--scores", type=Path, help="JSON file of 'wm eval', for the card")


def run(args: argparse.Namespace) -> int:
    try:
        from wm_training.card import export
    except ImportError as error:
        from wm_core.errors import WmError

        raise WmError(f"the export needs PyTorch and onnx ({error}): pip install -e '.[train]'") from None
    bundle = export(args.run, args.out, args.scores)
    size = sum(f.stat().st_size for f in bundle.path.iterdir())
    print(f"{bundle.path}: {size / 1e6:.1f} MB")
    return 0
