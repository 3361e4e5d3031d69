"""``wm pick_place``: start the controller, watch until the task is done, and judge what came of it."""

from __future__ import annotations

from collections.abc import Callable

from wm_core.reports import LATCHED

from .cli import EXIT_NO, EXIT_YES
from .live_run import SETTLE_S, LiveRun, Outcome
from .observers import Film, Line, Plot, Summary, Window
from .run_config import RunConfig


def pick_place(config: RunConfig, interrupted: Callable[[], bool]) -> int:
    """One run. Returns the exit status; raises WmError if it could not run."""
    windows = [] if config.headless else [Window()]
    observers = [*windows, Film(), Plot(), Summary(), Line()]
    return LiveRun(config, interrupted, act, observers).run().status


def act(run: LiveRun) -> Outcome:
    """Until the planner is done, time is up, a node dies, or the user stops it."""
    monitor = run.monitor
    run.begin()
    run.start()
    run.wait(lambda: monitor.done, run.config.max_seconds, meanwhile=run.look)
    if monitor.done:
        run.wait(lambda: monitor.placed is not False, SETTLE_S, meanwhile=run.look)
    held = f"; the controller is {monitor.mode}: {monitor.reason}" if monitor.mode in LATCHED else ""
    if (early := run.stop()) is not None:
        return early
    if (scene := monitor.scene) is None:
        if monitor.reached:
            return Outcome(EXIT_YES, "the last goal was reached")
        why = "the planner gave it up" if monitor.done else "time was up"
        return Outcome(EXIT_NO, f"the last goal was not reached: {why}{held}")
    where = f"the cube is {100.0 * scene.goal_distance_m:.1f} cm from its goal"
    if scene.placed:
        return Outcome(EXIT_YES, f"placed: {where}", True)
    return Outcome(EXIT_NO, f"not placed: {where}{held}", False)
