"""Where the cube and its goal lie in a scene, apart from the arm: what a person sets between two episodes."""

from __future__ import annotations

import numpy as np

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
