"""See the package."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from wm_core import seeds

from .chance import RATES
from .mutants import MUTANTS, hunt
from .session import Found, Session


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wm_lab.fuzz", description="adversarial sessions with the controller core"
    )
    parser.add_argument("--sequences", type=int, help="how many (1000); with --mutants at most so many for each (400)")
    parser.add_argument("--seed", type=seeds.option, default=0, help="of the first; the others follow")
    parser.add_argument("--ticks", type=int, default=150, help="per sequence")
    parser.add_argument(
        "--json", type=Path, help="where the results are kept; a run that was interrupted goes on there"
    )
    parser.add_argument(
        "--mutants", action="store_true", help="take out one guard after the other: each must be noticed"
    )
    args = parser.parse_args()
    if args.sequences is None:
        args.sequences = 400 if args.mutants else 1000
    return _mutants(args) if args.mutants else _sessions(args)


def _sessions(args: argparse.Namespace) -> int:
    total, first = _read(args.json, args.seed)
    with tqdm(range(first, args.seed + args.sequences), unit="sequence") as bar:
        for seed in bar:
            total.add(Session(seed).run(args.ticks))
            if seed % 100 == 99:
                bar.set_postfix(violations=sum(total.violations.values()))
                _write(args.json, args.seed, seed + 1, total)
    _write(args.json, args.seed, args.seed + args.sequences, total)
    _print(args, total)
    return 1 if total.violations else 0


def _mutants(args: argparse.Namespace) -> int:
    verdicts = []
    with tqdm(MUTANTS, unit="mutant") as bar:
        for mutant in bar:
            verdicts.append(hunt(mutant, args.seed, args.sequences, args.ticks))
            bar.set_postfix(alive=sum(verdict.sessions is None for verdict in verdicts))
    width = max(len(verdict.guard) for verdict in verdicts)
    print(f"{'guard that was taken out':{width}}  sessions until it was noticed, and by what")
    for verdict in verdicts:
        print(
            f"{verdict.guard:{width}}  "
            + (f"{verdict.sessions:3}  {verdict.violation}" if verdict.sessions else "NOT NOTICED")
        )
    alive = sum(verdict.sessions is None for verdict in verdicts)
    print(f"{len(verdicts)} guards, {alive} of them not missed within {args.sequences} sessions")
    return 1 if alive else 0


def _read(path: Path | None, seed: int) -> tuple[Found, int]:
    """What an earlier run from the same seed has found, and the seed that it had come to."""
    if path is None or not path.exists():
        return Found(), seed
    kept = json.loads(path.read_text())
    if kept["seed"] != seed:
        raise SystemExit(f"{path} holds a run from seed {kept['seed']}, not {seed}; name another file")
    found = kept["found"]
    counted = {name: Counter(found[name]) for name in ("modes", "happened", "violations")}
    return Found(**{**found, **counted}), kept["next_seed"]


def _write(path: Path | None, seed: int, next_seed: int, found: Found) -> None:
    if path is not None:
        path.write_text(json.dumps({"seed": seed, "next_seed": next_seed, "found": vars(found)}, indent=1))


def _print(args: argparse.Namespace, total: Found) -> None:
    never = [name for name in RATES if not total.happened[name]]
    print(f"sequences    {args.sequences}, seeds {args.seed}..{args.seed + args.sequences - 1}")
    print(f"ticks        {total.ticks}, of which commands {total.commands}; path {total.path_m:.1f} m")
    print(f"modes        {', '.join(f'{mode} {n}' for mode, n in total.modes.most_common())}")
    print(f"happened     {total.happened.total()} times; never: {', '.join(never) or '-'}")
    print(f"violations   {total.violations.total()}" + "".join(f"; {kind} {n}" for kind, n in total.violations.items()))
    # Zero is no limit that a share could be taken of; there the largest value is told, which must be 0.
    print(f"worst/limit  {', '.join(f'{kind} {size:.5f}' for kind, size in total.worst.items() if size > 0.0) or '-'}")
    if total.seeds:
        print(f"seeds        {' '.join(map(str, total.seeds[:20]))}")


if __name__ == "__main__":
    sys.exit(main())
