from __future__ import annotations

import numpy as np
import pytest

from wm_ros import convert
from wm_ros.goal_latents import GoalLatents


def latent(k: int, n: int, at_s: float = 1.0):
    return convert.latent_to_msg(
        np.full((1, 2), k, dtype=np.float32), convert.s_to_stamp(at_s), convert.goal_frame(k, n)
    )


def test_a_set_is_complete_in_any_order() -> None:
    goals = GoalLatents(3)
    assert goals.missing == "0 of 3 goal pictures are encoded"
    assert goals.add(latent(2, 3)) is None and goals.add(latent(0, 3)) is None and goals.add(latent(0, 3)) is None
    complete = goals.add(latent(1, 3))
    assert complete is not None and complete[:, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert goals.missing == ""


def test_a_new_stamp_begins_a_new_set() -> None:
    goals = GoalLatents()
    assert goals.missing == "there are no goal pictures"
    assert goals.add(latent(0, 2)) is None
    assert goals.add(latent(1, 2, at_s=2.0)) is None
    complete = goals.add(latent(0, 2, at_s=2.0))
    assert complete is not None and len(complete) == 2


def test_an_ordinary_latent_is_no_goal() -> None:
    with pytest.raises(ValueError, match="frame id"):
        GoalLatents(1).add(convert.latent_to_msg(np.zeros((1, 2), np.float32), convert.s_to_stamp(1.0), "camera"))
