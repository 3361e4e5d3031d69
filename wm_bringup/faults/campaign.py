"""All faults, one after the other, each in a run of its own; a table for people and JSON for machines."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from wm_bringup import paths
from wm_bringup.processes import Processes
from wm_bringup.terminal import LiveLine, complain, say, status_of
from wm_core import results

from .inject import NotHere
from .measure import RUNNING
from .run import FaultRun, Result
from .table import Fault, chosen

EXIT_AS_DECLARED, EXIT_NOT_AS_DECLARED = 0, 1
HEAD = (
    "fault                       ends as   hold s  still s  rest s  peak m/s  path mm  arm mm  over mm  after mm  "
    "viol.  exit  as declared  reason"
)


def campaign(arguments: argparse.Namespace, interrupted: Callable[[], bool]) -> int:
    """Do all the faults chosen. Returns the exit status: 0 only if every one ended as declared.

    Args:
        arguments: as of ``wm pick_place``, and ``only`` (names) and ``json`` (a file or None).
        interrupted: whether the user wants it to end.
    Raises:
        WmError: an option, the bundle, the goal folder or the configuration is not usable.
    """
    faults = chosen(arguments.only)
    folder = paths.new_run_folder(arguments.runs)
    files = [folder / "faults.json", *([] if arguments.json is None else [arguments.json])]
    for path in files:
        results.check_writable(path)
    line, began_s = LiveLine(), time.monotonic()
    done: list[Result] = []
    if arguments.goal is None:
        line.show("the expert shows the goal", None)
        arguments.goal = folder / "goals"
        with Processes(folder / "log") as processes:
            words = ["goals", "--seed", arguments.seed, "--output", arguments.goal]
            processes.run("goals", [sys.executable, "-m", "wm_bringup.cli", *map(str, words)], interrupted)
    say(HEAD)
    for number, fault in enumerate(faults, start=1):
        if interrupted():
            break
        line.show(f"{number}/{len(faults)}  {fault.name} ...", None)
        arguments.runs = folder / fault.name
        done.append(_one(arguments, interrupted, fault))
        if interrupted():
            done.pop()
            break
        line.end(row(done[-1]))
        for path in files:
            results.write_json(path, [result.as_json() for result in done])
    for result in done:
        for failure in result.failures:
            complain(f"{result.fault}: {failure}")
    well = sum(not result.failures for result in done)
    line.end(f"{well} of {len(faults)} faults ended as declared  ({time.monotonic() - began_s:.0f} s, {folder})")
    if interrupted():
        return status_of(interrupted)
    return EXIT_AS_DECLARED if well == len(faults) else EXIT_NOT_AS_DECLARED


def _one(arguments: argparse.Namespace, interrupted: Callable[[], bool], fault: Fault) -> Result:
    try:
        run = FaultRun(arguments, interrupted, fault)
    except NotHere as error:
        return Result(fault.name, None, 0, f"not run: {error}", 0, ())
    try:
        run.run()
    except Exception as error:  # a campaign goes on; that the run itself fell is a result
        sentence = f"the run itself fell: {type(error).__name__}: {error}"
        return Result(fault.name, None, -1, sentence, 0, (sentence,))
    assert run.result is not None
    return run.result


def row(result: Result) -> str:
    """One line of the table under :data:`HEAD`."""
    said = f"{'yes' if not result.failures else 'NO':<11}"
    if (m := result.measures) is None:
        return f"{result.fault:<28}{'':<88}{result.exit_status:4d}  {said}  {result.message}"
    hold = "-" if m.hold_s is None else f"{m.hold_s:.2f}"
    still = "-" if m.first_rest_s is None else f"{m.first_rest_s:.2f}"
    over = "-" if m.outcome == RUNNING else f"{1e3 * m.overshoot_m:.1f}"  # of a target that goes on there is no past
    after = "-" if m.outcome == RUNNING else f"{1e3 * m.moved_after_m:.1f}"
    return (
        f"{result.fault:<28}{m.outcome:<10}{hold:>6}{still:>9}{m.rest_s:>8.2f}{m.peak_m_s:>10.3f}"
        f"{1e3 * m.travel_m:>9.1f}{1e3 * m.arm_travel_m:>8.1f}{over:>9}{after:>10}{sum(m.violations.values()):>7d}"
        f"{result.exit_status:>6d}  {said}  {m.reason}"
    )


def listing() -> str:
    """All faults with what is expected of each."""
    rows = []
    for fault in chosen(()):
        within = "" if fault.rest_within_s is None else f", at rest within {fault.rest_within_s:.2f} s"
        rows.append(f"{fault.name:<28}{' or '.join(fault.expected)}{within}")
    return "\n".join(rows)
