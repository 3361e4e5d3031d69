"""``wm export``: a trained run as a model bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup.commands import refuse_to_replace
from wm_core import install


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, default=Path("runs/train"), help="folder of the run")
    parser.add_argument("--out", type=Path, help="folder of the bundle; 'bundle' in the folder of the run if not given")
    parser.add_argument("--force", action="store_true", help="replace the bundle that is at --out")
    parser.add_argument("--scores", type=Path, help="JSON file of 'wm eval', for the card")


def run(args: argparse.Namespace) -> int:
    out = args.run / "bundle" if args.out is None else args.out
    refuse_to_replace(out, args.force)
    try:
        from wm_training.card import export
    except ImportError as error:
        from wm_core.errors import WmError

        raise WmError(f"the export needs PyTorch and onnx ({error}): {install.extra('train')}") from None
    bundle = export(args.run, out, args.scores)
    size = sum(f.stat().st_size for f in bundle.path.iterdir())
    print(f"{bundle.path}: {size / 1e6:.1f} MB")
    return 0
