"""A frozen picture and a still scene."""

from __future__ import annotations

import numpy as np

from wm_planner.frozen import MOVED_M, FrozenCamera

HERE = np.array([0.4, 0.0, 0.3])


def latent(value: float) -> np.ndarray:
    return np.full((1, 8), value, dtype=np.float32)


def test_a_still_scene_is_not_frozen() -> None:
    camera = FrozenCamera()
    assert [camera.check(latent(1.0), HERE + 0.001 * np.sin(k)) for k in range(50)] == [""] * 50


def test_pictures_that_change_are_never_frozen() -> None:
    camera = FrozenCamera()
    assert [camera.check(latent(k), HERE + 0.01 * k) for k in range(20)] == [""] * 20


def test_an_arm_that_moves_before_the_same_picture_is_told_and_stays_told_at_rest() -> None:
    camera = FrozenCamera()
    said = [camera.check(latent(1.0), HERE + [0.004 * min(k, 5), 0.0, 0.0]) for k in range(10)]
    assert said[:3] == [""] * 3 and all("while the arm moved" in sentence for sentence in said[3:])
    assert "20 mm" in said[-1]


def test_a_new_picture_ends_it() -> None:
    camera = FrozenCamera()
    camera.check(latent(1.0), HERE)
    assert camera.check(latent(1.0), HERE + 2 * MOVED_M)
    assert camera.check(latent(2.0), HERE + 2 * MOVED_M) == ""
    assert camera.check(latent(2.0), HERE + 2 * MOVED_M) == ""


def test_a_latent_that_is_not_a_number_is_for_others_to_judge() -> None:
    camera = FrozenCamera()
    nan = latent(np.nan)
    assert camera.check(nan, HERE) == camera.check(nan, HERE + 1.0) == ""
