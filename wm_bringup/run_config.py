"""What a live run is told: one frozen object, made of a command's options and changed by nobody."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from wm_core import parameters
from wm_core.errors import ConfigError
from wm_planner.goals import load_goals

from . import bundles, graph
from .terminal import complain

#: How many pictures the scripted expert takes of a scene (wm_sim/expert.py), if nobody says, and at most.
GOALS = MOST_GOALS = 8


@dataclass(frozen=True)
class RunConfig:
    """Made, it has checked what can be checked without starting a process. Raises WmError.

    Attributes:
        bundle: folder of the model bundle.
        goal: folder of goal pictures; None: the expert shows ``goals`` of them in the scene ``seed``.
        mode, arm, config, drop_guards: as in :class:`wm_bringup.graph.Cell`.
        settings: parameters, as the words of ``--set``.
        max_seconds: how long the arm may act.
        runs: where the folder of the run is made.
        headless: whether there is no window with the camera's view.
    """

    bundle: Path
    goal: Path | None = None
    mode: str = "sim"
    arm: str | None = None
    seed: int = 0
    goals: int = GOALS
    config: Path | None = None
    settings: tuple[str, ...] = ()
    drop_guards: tuple[str, ...] = ()
    max_seconds: float = 60.0
    runs: Path = field(default_factory=lambda: Path("runs"))
    headless: bool = True

    def __post_init__(self) -> None:
        if not self.max_seconds > 0.0:
            raise ConfigError(f"--max-seconds {self.max_seconds} must be positive")
        if not 1 <= self.goals <= MOST_GOALS:
            raise ConfigError(f"--goals {self.goals} must be within 1..{MOST_GOALS}, which the expert shows")
        if self.mode == "real" and self.goal is None:
            raise ConfigError("a real arm needs --goal, a folder of goal pictures")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> RunConfig:
        """That of a command's options; what the command does not have, or the user did not give, is the default.

        The environment that all processes of the graph share is set by this, as nodes inherit it.

        Raises WmError on what contradicts, or would be read by nobody.
        """
        given = {key: value for key, value in vars(arguments).items() if value is not None}
        if "arm" in given and "mode" not in given:
            raise ConfigError(f"--arm {given['arm']} is given, but not --mode: say --mode real, or --mode sim")
        mode = given.get("mode", cls.mode)
        where = "there is no simulated scene in --mode real" if mode == "real" else ""
        beside = "--goal gives the pictures" if "goal" in given else ""
        for option, why in (("seed", where), ("goals", where or beside)):
            if option in given and why:
                raise ConfigError(f"nobody reads --{option} {given[option]}: {why}; leave it out")
        for name, value in graph.environment(mode).items():
            os.environ.setdefault(name, value)
        given |= {"settings": tuple(given.pop("set", ())), "drop_guards": tuple(given.pop("drop_guard", ()))}
        known = {entry.name: given[entry.name] for entry in fields(cls) if entry.name in given}
        made = cls(bundle=Path(), **known)  # first, what needs no file to be checked
        made = replace(made, bundle=bundles.chosen(given.get("model"), mode).path.resolve())
        if made.goal is not None:
            load_goals(made.goal, complain)
        return made

    def graph(self, goal: Path) -> graph.Graph:
        """The nodes of the run, with the goal pictures in the folder ``goal``. Raises ConfigError."""
        return graph.pick_place(
            self.mode,
            bundle=self.bundle,
            goal=goal.resolve(),
            arm=self.arm,
            seed=self.seed,
            goals=self.goals,
            record_goal=self.goal is None,
            config=self.config,
            settings=parameters.from_words(self.settings),
            drop_guards=self.drop_guards,
            # By our life and heartbeat the controller may move the arm.
            launcher_pid=os.getpid(),
            launcher_heartbeat=True,
        )
