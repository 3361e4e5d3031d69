"""All faults, one after the other, each in a run of its own; a table for people and JSON for machines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from wm_bringup import paths
from wm_bringup.cli import EXIT_NO, EXIT_YES
from wm_bringup.processes import Processes
from wm_bringup.run_config import RunConfig
from wm_bringup.terminal import LiveLine, complain, say, status_of
from wm_core import reports, results
from wm_core.reports import Mode

from .inject import NotHere
from .run import FaultRun, Result
from .table import Fault

HEAD = (
    "fault                       ends as   hold s  still s  rest s  peak m/s  path mm  arm mm  over mm  after mm  "
    "viol.  exit  as declared  reason"
)


def campaign(
    config: RunConfig, interrupted: Callable[[], bool], faults: Sequence[Fault], json: Path | None = None
) -> int:
    """Do all the faults. Returns the exit status: 0 only if every one ended as declared.

    Args:
        config: of each run; its folder of goal pictures is made once if it has none.
        interrupted: whether the user wants it to end.
        json: file that gets all figures as well.
    Raises:
        WmError: the results cannot be written, or the expert failed.
    """
    folder = paths.new_run_folder(config.runs)
    files = [folder / "faults.json", *([] if json is None else [json])]
    for path in files:
        results.check_writable(path)
    line, began_s = LiveLine(), time.monotonic()
    done: list[Result] = []
    if config.goal is None:
        line.show("the expert shows the goal", None)
        config = replace(config, goal=folder / "goals")
        with Processes(folder / "log") as processes:
            words = ["goals", "--seed", config.seed, "--count", config.goals, "--output", config.goal]
            processes.run("goals", [sys.executable, "-m", "wm_bringup.cli", *map(str, words)], interrupted)
    say(HEAD)
    for number, fault in enumerate(faults, start=1):
        if interrupted():
            break
        line.show(f"{number}/{len(faults)}  {fault.name} ...", None)
        done.append(_one(replace(config, runs=folder / fault.name), interrupted, fault))
        if interrupted():
            done.pop()
            break
        line.end(row(done[-1]))
        for path in files:
            results.write_json(path, [reports.as_dict(result) for result in done])
    for result in done:
        for failure in result.failures:
            complain(f"{result.fault}: {failure}")
    well = sum(not result.failures for result in done)
    line.end(f"{well} of {len(faults)} faults ended as declared  ({time.monotonic() - began_s:.0f} s, {folder})")
    if interrupted():
        return status_of(interrupted)
    return EXIT_YES if well == len(faults) else EXIT_NO


def _one(config: RunConfig, interrupted: Callable[[], bool], fault: Fault) -> Result:
    try:
        run = FaultRun(config, interrupted, fault)
    except NotHere as error:
        return Result(fault.name, None, 0, f"not run: {error}", 0, ())
    try:
        return run.run()
    except Exception as error:  # a campaign goes on; that the run itself fell is a result
        sentence = f"the run itself fell: {type(error).__name__}: {error}"
        return Result(fault.name, None, -1, sentence, 0, (sentence,))


def row(result: Result) -> str:
    """One line of the table under :data:`HEAD`."""
    said = f"{'yes' if not result.failures else 'NO':<11}"
    if (m := result.measures) is None:
        return f"{result.fault:<28}{'':<88}{result.exit_status:4d}  {said}  {result.message}"
    hold = "-" if m.hold_s is None else f"{m.hold_s:.2f}"
    still = "-" if m.first_rest_s is None else f"{m.first_rest_s:.2f}"
    runs = m.outcome == Mode.RUNNING  # of a target that goes on there is no past
    over, after = ("-" if runs else f"{1e3 * metres:.1f}" for metres in (m.overshoot_m, m.moved_after_m))
    return (
        f"{result.fault:<28}{m.outcome:<10}{hold:>6}{still:>9}{m.rest_s:>8.2f}{m.peak_m_s:>10.3f}"
        f"{1e3 * m.travel_m:>9.1f}{1e3 * m.arm_travel_m:>8.1f}{over:>9}{after:>10}{sum(m.violations.values()):>7d}"
        f"{result.exit_status:>6d}  {said}  {m.reason}"
    )
