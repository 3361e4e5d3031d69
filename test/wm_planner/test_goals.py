from __future__ import annotations

import os

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


def test_a_missing_folder_and_an_empty_one(tmp_path):
    with pytest.raises(GoalError, match=r"no folder of goal pictures at .*nowhere"):
        load_goals(tmp_path / "nowhere")
    with pytest.raises(GoalError, match=r"holds no goal pictures; put one \.png, \.jpg, \.jpeg, \.webp or \.bmp"):
        load_goals(tmp_path)
    with pytest.raises(GoalError, match="cannot list the goal pictures"):
        load_goals(tmp_path / ("x" * 5000))


def test_one_picture_is_one_goal(tmp_path):
    write(tmp_path / "1.png", 1)
    assert len(load_goals(tmp_path / "1.png")) == 1
    (tmp_path / "goals.txt").write_text("no picture")
    with pytest.raises(GoalError, match=r"goals\.txt' is no goal picture; those end in \.png"):
        load_goals(tmp_path / "goals.txt")


def test_every_kind_of_picture_is_taken_and_other_files_are_named(tmp_path):
    for name in ("1.webp", "2.BMP", "3.png"):
        write(tmp_path / name, 9)
    for name in ("notes.txt", "4.heic", ".hidden", "5.tif.bak"):
        (tmp_path / name).write_text("")
    (tmp_path / "older").mkdir()
    said: list[str] = []
    assert len(load_goals(tmp_path, said.append)) == 3
    assert len(said) == 1 and "'notes.txt'" in said[0] and "'4.heic'" in said[0] and "'older'" in said[0]
    assert "hidden" not in said[0]
    for k in range(9):
        (tmp_path / f"{k}.txt").write_text("")
    load_goals(tmp_path, said.append)
    assert said[1].endswith("and 8 more")


@pytest.mark.parametrize("name", ["1\u00b22.png", "\u0661.png", "\u2460.png", "1" * 240 + ".png", "a\nb.png"])
def test_odd_names_are_names(tmp_path, name):
    write(tmp_path / "1.png", 1)
    (tmp_path / "1.png").rename(tmp_path / name)
    write(tmp_path / "12.png", 1)
    assert len(load_goals(tmp_path)) == 2
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(GoalError) as refused:
        load_goals(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_name_that_is_not_utf_8(tmp_path):
    folder = tmp_path / "goals"
    folder.mkdir()
    write(folder / "1.png", 1)
    (folder / "1.png").rename(folder / os.fsdecode(b"\xff.png"))
    assert len(load_goals(folder)) == 1
    (folder / os.fsdecode(b"\xff.png")).write_bytes(b"")
    with pytest.raises(GoalError, match=r"udcff\.png") as refused:
        load_goals(folder)
    str(refused.value).encode()
    with pytest.raises(GoalError, match="not UTF-8; rename it") as refused:
        load_goals(tmp_path / os.fsdecode(b"\xff"))
    str(refused.value).encode()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_that_is_cut_short_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    (tmp_path / f"1{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(GoalError, match=rf"1\{suffix}' is damaged"):
        load_goals(tmp_path)


def test_a_picture_of_another_camera_by_its_size_is_named_with_it(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((4000, 3000), np.uint8))
    with pytest.raises(GoalError, match="3000 x 4000 pixels, more than 4K UHD"):
        load_goals(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "1.png")
    with pytest.raises(GoalError, match=r"1\.png' is not a file"):
        load_goals(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_an_unreadable_image_is_named(tmp_path, content):
    if content is None:
        (tmp_path / "bad.png").mkdir()
    else:
        (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(GoalError, match=r"bad\.png"):
        load_goals(tmp_path)
