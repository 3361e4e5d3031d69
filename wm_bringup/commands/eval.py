"""``wm eval``: many simulated episodes without ROS, through the same cores as the live graph.

Ends with 0 when all episodes were scored, whatever the scores (with --hostile, with 1 if a guardrail was violated), and
with 2 if it could not run. The scores are written after each episode, so that an early end loses nothing: after Ctrl-C
(130) or SIGTERM (143) they are those of the episodes that were finished.

With --lines every finished episode is also a line of JSON in a file, and the same command goes on from there. --matrix
runs bundles x planners x cases of a YAML file, in the same scenes each, and compares them in pairs: config/eval has an
example; the keys are those of MatrixConfig (wm_lab/matrix.py) and Case (wm_lab/evaluate.py). Its paths lead from its
folder; lines and scores go to runs/ unless --lines and --json name other places. --workers changes no result.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wm_bringup import paths
from wm_core import seeds

if TYPE_CHECKING:
    from wm_bringup.terminal import Interrupts, LiveLine
    from wm_core.axes import Axes
    from wm_lab.cell import Cell
    from wm_lab.evaluate import Case
    from wm_lab.matrix import Evaluation, MatrixConfig

#: How often a run whose output goes to a file says how far it is.
NEWS_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    single = [
        parser.add_argument("--episodes", type=int, default=100, help="number of scenes"),
        parser.add_argument("--seed", type=seeds.option, default=0, help="seed of the first scene; the others follow"),
        parser.add_argument("--goals", type=int, default=8, help="goal pictures of an expert in the same scene, 1..8"),
        parser.add_argument("--model", default=paths.DEFAULT_BUNDLE, help="a bundle in models/ by name, or a path"),
        parser.add_argument("--planner", type=Path, help="planner settings; default: those that the bundle names"),
        parser.add_argument(
            "--controller", type=Path, help="arm preset with the envelope; default: config/arms/sim.yaml"
        ),
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NODE.KEY=VALUE",
            help="one value of planner or controller",
        ),
        parser.add_argument("--max-steps", type=int, default=80, help="plan steps after which an episode has failed"),
        parser.add_argument(
            "--backend", help="what runs the model, as for 'wm models bench'; default: as the planner says"
        ),
        parser.add_argument("--threads", type=int, help="threads of the back end; default: as the planner says"),
        parser.add_argument(
            "--hostile", type=int, metavar="PLANS", help="instead: plan towards noise, black frames, forbidden places"
        ),
        parser.add_argument(
            "--camera-azimuth", type=float, default=0.0, metavar="DEG", help="turn the camera about the workspace"
        ),
        parser.add_argument(
            "--calibration",
            type=Path,
            metavar="FILE",
            help="the camera's preset as 'wm calibrate' leaves it: use its axes",
        ),
        parser.add_argument(
            "--turn-hand",
            action="store_true",
            help="hold the hand turned as the axes are, so that it looks as in training",
        ),
    ]
    parser.set_defaults(single=single)
    parser.add_argument("--json", type=Path, help="also write the scores to this file")
    parser.add_argument("--lines", type=Path, metavar="FILE", help="a line for each finished episode; go on from there")
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="instead of one model: all that this file crosses")
    parser.add_argument("--workers", type=int, default=1, help="processes; the results stay the same")


def run(args: argparse.Namespace) -> int:
    from wm_bringup.terminal import Interrupts, LiveLine
    from wm_core import config, results
    from wm_core.errors import WmError
    from wm_lab.ledger import Ledger
    from wm_lab.matrix import Evaluation, MatrixConfig

    if args.workers < 1:
        raise WmError(f"--workers {args.workers} must be at least 1")
    if args.hostile is not None and args.hostile < 1:
        raise WmError(f"--hostile {args.hostile} asks for no plan; give a number of 1 or more")
    if args.matrix is None:
        matrix, base = _matrix(args), Path()
    else:
        for action in args.single:
            if getattr(args, action.dest) != action.default:
                raise WmError(f"nobody reads {action.option_strings[0]} beside --matrix; put it into {args.matrix}")
        matrix, base = config.load(MatrixConfig, args.matrix), args.matrix.parent
        args.lines = args.lines or Path("runs") / f"{args.matrix.stem}.jsonl"
        args.json = args.json or args.lines.with_suffix(".json")
    if args.json is not None:
        results.check_writable(args.json)
    cells = _cells(matrix, base)
    with contextlib.ExitStack() as stack:
        interrupted = stack.enter_context(Interrupts())
        if args.hostile is not None:
            return _hostile(cells[0], args, interrupted)
        ledger = None if args.lines is None else stack.enter_context(Ledger(args.lines))
        evaluation, line = Evaluation(cells, matrix.scenes, ledger), LiveLine()
        try:
            _run(evaluation, args, line, interrupted)
        except KeyboardInterrupt:
            done = len(evaluation.episodes)
            line.end(f"interrupted after {done} of {evaluation.total} episodes; the scores are those of them")
    if evaluation.episodes:
        line.end(*(evaluation.text() if args.matrix else evaluation.report(cells[0]).text()).splitlines())
    return 0 if len(evaluation.episodes) == evaluation.total else interrupted.status


def _run(evaluation: Evaluation, args: argparse.Namespace, line: LiveLine, interrupted: Interrupts) -> None:
    """Run what is missing; raises KeyboardInterrupt where it is interrupted. The scores are kept up to date."""
    from wm_core import results

    began_s, before = time.monotonic(), len(evaluation.episodes)

    def tick() -> None:
        if interrupted():
            raise KeyboardInterrupt
        episodes, running_s = evaluation.episodes, time.monotonic() - began_s
        new, placed = len(episodes) - before, sum(e.placed for e in episodes)
        each = f"  {running_s / new:.1f} s each" if new else ""
        line.show(f"{len(episodes)}/{evaluation.total}  {placed} placed{each}", int(running_s / NEWS_S))

    def save() -> None:
        if args.json is not None and evaluation.episodes:
            scores = evaluation if args.matrix else evaluation.report(evaluation.cells[0])
            results.write_json(args.json, scores.as_dict())

    save()
    for _ in evaluation.run(args.workers, tick):
        save()


def _hostile(cell: Cell, args: argparse.Namespace, interrupted: Interrupts) -> int:
    from wm_bringup.terminal import say
    from wm_core import results

    def go_on(*_: object) -> None:
        if interrupted():
            raise KeyboardInterrupt

    try:
        with cell.opened() as evaluator:
            counts = evaluator.hostile(args.hostile, args.seed, go_on)
    except KeyboardInterrupt:
        return interrupted.status
    say(", ".join(f"{count} {name}" for name, count in counts.items()))
    if args.json is not None:
        results.write_json(args.json, counts)
    return 0 if counts["violations"] == 0 else 1


def _matrix(args: argparse.Namespace) -> MatrixConfig:
    """The smallest one: one bundle, one planner, one case."""
    from wm_core import parameters
    from wm_lab.evaluate import Case
    from wm_lab.matrix import MatrixConfig

    case = Case(
        goals=args.goals,
        max_steps=args.max_steps,
        camera_azimuth_deg=args.camera_azimuth,
        calibration=None if args.calibration is None else str(args.calibration),
        turn_hand=args.turn_hand,
    )
    return MatrixConfig(
        bundles={Path(args.model).name: args.model},
        planners={"own": None} if args.planner is None else {args.planner.stem: str(args.planner)},
        cases={"plain": case},
        controller=str(args.controller or "sim"),
        seed=args.seed,
        episodes=args.episodes,
        backend=args.backend,
        threads=args.threads,
        settings=parameters.from_words(args.set),
    )


def _cells(matrix: MatrixConfig, base: Path) -> list[Cell]:
    """All that a matrix crosses, with all files read: the planner and the controller are those of the live graph.

    Names are those of ``models/`` and ``config/``; paths lead from ``base``.
    """
    from wm_bringup import graph
    from wm_lab.cell import Cell
    from wm_models.bundle import Bundle

    def bundle(place: str) -> Path:
        folder = base / place
        return Bundle.load(folder if folder.is_dir() else paths.bundle_folder(place)).path

    def preset(place: str) -> str:
        return str(base / place) if Path(place).suffix or len(Path(place).parts) > 1 else place

    folders = {name: bundle(place) for name, place in matrix.bundles.items()}
    turned = {name: _axes(case, base) for name, case in matrix.cases.items()}
    cells = []
    for (b, folder), (p, place), (c, case) in itertools.product(
        folders.items(), matrix.planners.items(), matrix.cases.items()
    ):
        declared = graph.pick_place(
            "sim",
            bundle=folder,
            goal="",
            arm=preset(matrix.controller),
            planner=None if place is None else preset(place),
            settings=matrix.settings,
        )
        nodes = {spec.name: graph.configuration(spec) for spec in declared.nodes}
        settings = nodes["planner"]
        in_force = replace(
            settings,
            backend=settings.backend if matrix.backend is None else matrix.backend,
            threads=settings.threads if matrix.threads is None else matrix.threads,
            axes=turned[c],
        )
        cells.append(Cell(b, p, c, folder, in_force, nodes["controller"], case))
    return cells


def _axes(case: Case, base: Path) -> Axes:
    from wm_core import axes, config
    from wm_perception.node_config import CameraConfig

    if case.calibration is None:
        return axes.Axes()
    config.load(CameraConfig, base / case.calibration)  # a key that nobody knows may be a misspelt one of the axes
    found = axes.load(base / case.calibration)
    return replace(found, turned_hand=found.turned_hand or case.turn_hand)
