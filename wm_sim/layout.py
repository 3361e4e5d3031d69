"""Where the cube and its goal lie in a scene, apart from the arm: what a person sets between two episodes."""

from __future__ import annotations

import numpy as np

from wm_core.reports import Scene

from .scene import CUBE_YAW_RAD, MIN_CARRY_M, PandaScene, sample_place


def lay_out(scene: PandaScene, seed: int) -> None:
    """Put the cube and its goal where ``scene.reset(seed)`` would, and leave the arm where it is."""
    rng = np.random.default_rng(seed)
    scene.set_cube(sample_place(rng), yaw_rad=rng.uniform(-CUBE_YAW_RAD, CUBE_YAW_RAD))
    cube = scene.cube_position()[:2]
    while True:
        scene.goal_xy_m = sample_place(rng)
        if np.linalg.norm(scene.goal_xy_m - cube) >= MIN_CARRY_M:
            return


def truth(scene: PandaScene, seed: int) -> Scene:
    """Where things are and whether the cube lies where it should; the scene was laid out by ``seed``."""
    return Scene(
        seed,
        scene.placed(),
        round(scene.goal_distance_m(), 4),
        cube_m=tuple(round(x, 4) for x in scene.cube_position().tolist()),
        goal_m=tuple(round(x, 4) for x in scene.goal_xy_m.tolist()),
    )
