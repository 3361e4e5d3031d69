"""What watches a live run and leaves something behind: a film, a plot, a summary, a word on the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cv2

from wm_core import reports, results
from wm_core.errors import WmError
from wm_planner.goals import load_goals

from . import report
from .cli import EXIT_CANNOT_RUN
from .terminal import complain

if TYPE_CHECKING:
    from .live_run import LiveRun, Outcome


class Observer:
    """Watches a run; all of its parts may be left out. ``leaves`` names what is lost where :meth:`end` fails."""

    leaves: ClassVar[str] = ""

    def begin(self, run: LiveRun) -> None:
        """The graph is up, and the arm is about to move. Not called in a run that does not come to that."""

    def look(self, run: LiveRun) -> None:
        """Between two messages, while the run acts. Raises WmError, which ends the run."""

    def end(self, run: LiveRun, outcome: Outcome) -> None:
        """The run is over; all nodes have ended. Whatever is raised loses only what this one leaves."""


class Line(Observer):
    """What a person watches while it acts, and how it ended."""

    leaves = "last word"

    def look(self, run: LiveRun) -> None:
        status = run.monitor.status
        run.line.show(run.monitor.line, (status and status.subgoal, run.monitor.mode))

    def end(self, run: LiveRun, outcome: Outcome) -> None:
        bad = run.monitor.bad
        if outcome.status == EXIT_CANNOT_RUN:
            run.line.end(f"the logs are in {_shown(run.folder / 'log')}")
            complain(outcome.sentence)
        else:
            about = f"{run.acting_s:.1f} s, {len(run.monitor.rows)} plans, {_shown(run.folder)}"
            run.line.end(f"{outcome.sentence}  ({about})")
        if bad:
            ignored = ", ".join(f"{count} on {topic}" for topic, count in bad.items())
            complain(f"messages that could not be used were ignored: {ignored}")


class Window(Observer):
    """The camera's view on the screen."""

    def look(self, run: LiveRun) -> None:
        if (frame := run.monitor.latest_frame) is None:
            return
        try:
            cv2.imshow("wm", cv2.resize(frame[..., ::-1], (report.SIDE_PX, report.SIDE_PX)))
            cv2.waitKey(1)
        except cv2.error:
            raise WmError("this OpenCV cannot open windows; install opencv-python, or use --headless") from None


class Film(Observer):
    """``run.mp4``."""

    leaves = "film"

    def __init__(self) -> None:
        self._film: report.Film | None = None

    def begin(self, run: LiveRun) -> None:
        monitor = run.monitor
        self._film = film = report.Film(run.folder / "run.mp4", load_goals(run.goal))

        def add(rgb: report.Picture, stamp_s: float) -> None:
            film.add(rgb, stamp_s, -1 if monitor.status is None else monitor.status.subgoal, monitor.line)

        monitor.on_frame = add

    def end(self, run: LiveRun, outcome: Outcome) -> None:
        if self._film is not None:
            self._film.close()


class Plot(Observer):
    """``energy.png``."""

    leaves = "plot"

    def end(self, run: LiveRun, outcome: Outcome) -> None:
        if run.monitor.rows:
            title = f"{run.config.bundle.name}: {outcome.sentence}"
            report.draw_energy(run.folder / "energy.png", run.monitor.rows, title)


class Summary(Observer):
    """``summary.json``; it comes after those whose loss it is to tell of."""

    leaves = "summary"

    def end(self, run: LiveRun, outcome: Outcome) -> None:
        monitor, config = run.monitor, run.config
        scene, status = monitor.scene, monitor.status
        summary = reports.RunSummary(
            exit_status=outcome.status,
            outcome=outcome.sentence,
            placed=outcome.placed,
            seed=None if config.mode == "real" else config.seed,
            bundle=config.bundle.name,
            wall_s=round(run.wall_s, 2),
            acting_s=round(run.acting_s, 2),
            goal_distance_m=None if scene is None else scene.goal_distance_m,
            done=monitor.done,
            reached=monitor.reached,
            subgoal=None if status is None else status.subgoal,
            subgoals=None if status is None else status.subgoals,
            goals=() if status is None else status.goals,
            **report.statistics(monitor.rows),
            commands=monitor.envelope.commands,
            violations={**monitor.envelope.counts, "step": monitor.long_steps},
            holds=tuple(monitor.holds),
            ignored_messages=dict(monitor.bad),
            nodes={name: dict(health.values) for name, health in sorted(monitor.health.items())},
        )
        results.write_json(run.folder / "summary.json", reports.as_dict(summary))


def _shown(folder: Path) -> str:
    """The folder as a person would type it here."""
    return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)
