from __future__ import annotations

import cv2
import numpy as np
import pytest

from wm_core.errors import GoalError
from wm_planner.goals import load_goals


def write(path, red):
    image = np.zeros((6, 8, 3), dtype=np.uint8)
    image[..., 2] = red  # OpenCV's channels are blue, green, red
    assert cv2.imwrite(str(path), image)


def test_images_come_in_natural_order_as_rgb(tmp_path):
    for name, red in (("goal_10.png", 200), ("goal_2.png", 100), ("Goal_1.PNG", 50), ("goal_3.jpg", 150)):
        write(tmp_path / name, red)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._goal_4.png").write_text("what some systems leave beside files")
    goals = load_goals(str(tmp_path))
    assert [goal.shape for goal in goals] == [(6, 8, 3)] * 4
    assert all(goal.dtype == np.uint8 and goal.flags["C_CONTIGUOUS"] for goal in goals)
    assert [int(goal[0, 0, 0]) for goal in goals] == pytest.approx([50, 100, 150, 200], abs=3)
    assert goals[0][..., 1:].max() == 0


def test_names_that_differ_in_kind_still_sort(tmp_path):
    for name in ("a.png", "1.png", "a1b.png", "01.png"):
        write(tmp_path / name, 1)
    assert len(load_goals(tmp_path)) == 4


def test_grey_and_transparent_images_become_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((4, 4), 77, dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((4, 4, 4), 77, dtype=np.uint8))
    assert [goal.shape for goal in load_goals(tmp_path)] == [(4, 4, 3)] * 2


def test_a_missing_folder_an_empty_one_and_a_file(tmp_path):
    with pytest.raises(GoalError, match=r"no folder of goal images at .*nowhere"):
        load_goals(tmp_path / "nowhere")
    with pytest.raises(GoalError, match="holds no goal images"):
        load_goals(tmp_path)
    write(tmp_path / "1.png", 1)
    with pytest.raises(GoalError, match="no folder"):
        load_goals(tmp_path / "1.png")


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_an_unreadable_image_is_named(tmp_path, content):
    if content is None:
        (tmp_path / "bad.png").mkdir()
    else:
        (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(GoalError, match=r"bad\.png"):
        load_goals(tmp_path)
