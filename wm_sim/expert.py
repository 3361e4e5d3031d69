"""A scripted expert that picks and places with the ground truth of the simulator.

It makes training data and goal pictures. Nothing of what it knows reaches the planner but the pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_core import results
from wm_core.errors import WmError

from .scene import CUBE_HALF_M, HOME_POSE, PandaScene

Array = NDArray[np.float64]

#: Change of the gripper command of one step; see the gripper rule in docs/architecture.md.
CLOSE, KEEP, OPEN = 1.0, 0.0, -1.0
HOVER_M = 0.10
CARRY_M = 0.14
GRASP_STEPS = 3
RELEASE_STEPS = 2


@dataclass(frozen=True)
class Waypoint:
    """A place for the TCP (3,) and what the gripper does there; ``steps`` of waiting once it is reached.

    ``picture``: whether its end is one of the sub-goals of a demonstration.
    """

    name: str
    xyz_m: Array
    gripper: float = KEEP
    steps: int = 0
    picture: bool = True


def waypoints(cube_m: Array, goal_xy_m: Array) -> list[Waypoint]:
    """The waypoints of a pick and place; eight of them are sub-goal pictures."""
    cube_x, cube_y = cube_m[:2]
    goal_x, goal_y = goal_xy_m
    grasp_z = CUBE_HALF_M + 0.005
    middle = (np.asarray(cube_m[:2]) + goal_xy_m) / 2

    def at(x: float, y: float, z: float) -> Array:
        return np.array([x, y, z])

    return [
        Waypoint("above the cube", at(cube_x, cube_y, CUBE_HALF_M + HOVER_M)),
        Waypoint("at the cube", at(cube_x, cube_y, grasp_z)),
        Waypoint("grasped", at(cube_x, cube_y, grasp_z), CLOSE, GRASP_STEPS),
        Waypoint("lifted", at(cube_x, cube_y, CARRY_M)),
        Waypoint("carried half way", at(middle[0], middle[1], CARRY_M)),
        Waypoint("above the goal", at(goal_x, goal_y, CARRY_M)),
        Waypoint("lowered", at(goal_x, goal_y, grasp_z + 0.005)),
        Waypoint("released", at(goal_x, goal_y, grasp_z + 0.005), OPEN, RELEASE_STEPS, picture=False),
        Waypoint("retreated", at(goal_x, goal_y, CUBE_HALF_M + HOVER_M)),
    ]


class Expert:
    """Steps through :func:`waypoints`, one 7-D delta at a time.

    Args:
        scene: whose cube and goal it reads.
        step_m: longest translation of one step.
        tolerance_m: how near a waypoint counts as reached.
        retreat: whether it goes up again after the release.
    """

    def __init__(self, scene: PandaScene, step_m: float, tolerance_m: float = 0.008, retreat: bool = True) -> None:
        self.waypoints = waypoints(scene.cube_position(), scene.goal_xy_m)[: None if retreat else -1]
        self._step_m = step_m
        self._tolerance_m = tolerance_m
        self.index = 0
        self._waited = 0

    @property
    def done(self) -> bool:
        return self.index >= len(self.waypoints)

    def observe(self, state: Array) -> bool:
        """Take the measured state (7,) after a step; True if that step completed a waypoint."""
        if self.done:
            return False
        here = self.waypoints[self.index]
        near = np.linalg.norm(state[:3] - here.xyz_m) < self._tolerance_m
        if not near or self._waited < here.steps:
            return False
        self.index += 1
        self._waited = 0
        return True

    def action(self, state: Array) -> Array:
        """The next delta (7,) from the measured state (7,)."""
        delta = np.zeros(7)
        if self.done:
            return delta
        here = self.waypoints[self.index]
        offset = here.xyz_m - state[:3]
        length = float(np.linalg.norm(offset))
        delta[:3] = offset * min(1.0, self._step_m / max(length, 1e-9))
        if here.steps:
            delta[6] = here.gripper
            self._waited += 1
        return delta


@dataclass(frozen=True)
class Demonstration:
    """Pictures (h, w, 3) uint8 at the end of each waypoint, and the measured state (7,) at the same instants."""

    frames: list[NDArray[np.uint8]]
    states: list[Array]


def demonstrate(
    scene: PandaScene, step_m: float = 0.05, step_period_s: float = 0.25, hand_yaw_rad: float = 0.0
) -> Demonstration:
    """Let the expert act once in ``scene`` as it stands; the caller resets it. Raises WmError if the expert fails.

    ``hand_yaw_rad``: how far the hand is held turned about the vertical, as the caller has placed it.
    """
    expert = Expert(scene, step_m)
    target = scene.state().pose[:3]
    frames, states = [], []
    turn = HOME_POSE[3:] + [0.0, 0.0, hand_yaw_rad]
    substeps = 10
    for _ in range(100):
        state = scene.state().state
        index = expert.index
        if expert.observe(state):
            if expert.waypoints[index].picture:
                frames.append(scene.render().copy())
                states.append(state)
            if expert.done:
                if not scene.placed():
                    break
                return Demonstration(frames, states)
        delta = expert.action(state)
        if delta[6]:
            scene.set_gripper(1.0 if delta[6] > 0 else 0.0)
        start, target = target, state[:3] + delta[:3]
        for i in range(substeps):
            place = start + (target - start) * (i + 1) / substeps
            scene.set_target(np.concatenate([place, turn]))
            scene.advance(step_period_s / substeps)
    raise WmError("the scripted expert failed in this scene; choose another seed")


def pick_goals(count: int, available: int) -> list[int]:
    """Indices of ``count`` sub-goals out of ``available`` pictures, evenly, always with the last."""
    if not 1 <= count <= available:
        raise WmError(f"the number of goal pictures must be 1..{available}, not {count}")
    return [math.ceil((i + 1) * available / count) - 1 for i in range(count)]


def record_goals(seed: int, folder: str | Path, goals: int = 8) -> list[Path]:
    """Let the expert act in scene ``seed`` and write ``goals`` pictures (PNG) to ``folder``; returns their paths.

    Raises WmError if one cannot be written.
    """
    scene = PandaScene(seed)
    try:
        shown = demonstrate(scene)
    finally:
        scene.close()
    paths = []
    for number, index in enumerate(pick_goals(goals, len(shown.frames))):
        paths.append(Path(folder) / f"goal_{number:02d}.png")
        picture = cv2.imencode(".png", cv2.cvtColor(shown.frames[index], cv2.COLOR_RGB2BGR))[1]
        results.write_bytes(paths[-1], picture.tobytes())
    return paths
