"""``wm bench live``: how long a frame's walk takes through the live graph, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wm_core import results
from wm_core.errors import ConfigError

from . import timing
from .cli import EXIT_YES
from .live_run import LiveRun, Outcome
from .observers import Line, Summary
from .recorder import Trace
from .run_config import RunConfig

#: The stages of :func:`wm_bringup.timing.ladder` in words.
_WORDS = {
    "publish": "the camera's driver publishes the frame",
    "latent": "the encoder publishes its latent",
    "plan": "the planner publishes its plan",
    "take": "the controller takes the plan, in a tick",
    "first_command": "the arm's target of that tick is published",
}


def bench(config: RunConfig, interrupted: Callable[[], bool], seconds: float, json: Path | None = None) -> int:
    """Act for so long, or until the task is done, and print the ladder. Returns the exit status; raises WmError."""
    if not seconds > 0.0:
        raise ConfigError(f"--seconds {seconds} must be positive")
    if json is not None:
        results.check_writable(json)
    trace = Trace(pictures=True)

    def act(run: LiveRun) -> Outcome:
        run.begin()
        run.start()
        run.wait(lambda: run.monitor.done, seconds, meanwhile=run.look)
        early = run.stop()
        figures = timing.ladder(trace.record.walk)
        run.line.end(*table(figures))
        if json is not None:
            results.write_json(json, figures)
        return early or Outcome(EXIT_YES, f"{figures['plans']} plans were taken")

    return LiveRun(config, interrupted, act, [trace, Summary(), Line()]).run().status


def table(figures: dict[str, float]) -> list[str]:
    """The ladder for people, a line for each stage: ms since the frame's stamp."""
    head = f"{'ms since the exposure of the frame':<44}{'p50':>8}{'p99':>8}{'max':>8}"
    rows = [
        f"{words:<44}" + "".join(f"{figures[f'frame_to_{stage}_{name}_ms']:8.1f}" for name in ("p50", "p99", "max"))
        for stage, words in _WORDS.items()
    ]
    return [head, *rows]
