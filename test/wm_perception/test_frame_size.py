from __future__ import annotations

import pytest

from wm_perception.frame_size import FrameSize


def test_while_idle_a_camera_may_be_set_otherwise() -> None:
    size = FrameSize()
    assert size.frame(640, 480) == "" and size.frame(320, 240) == "" and size.size == (320, 240)


def test_in_a_run_the_size_stays() -> None:
    size = FrameSize()
    size.frame(640, 480)
    size.fixed = True
    assert size.frame(640, 480) == ""
    for other in ((640, 481), (480, 640), (1280, 960)):
        said = size.frame(*other)
        assert f"{other[0]} x {other[1]}" in said and "640 x 480" in said and "set the camera back" in said
    assert size.frame(640, 480) == "", "it came back"
    size.frame(320, 240)
    size.fixed = False
    assert size.frame(320, 240) == "" and size.size == (320, 240)


def test_the_first_frame_may_come_in_the_middle_of_a_run() -> None:
    size = FrameSize()
    size.fixed = True
    assert size.frame(640, 480) == "" and size.frame(320, 240) != ""


@pytest.mark.parametrize("good", [(640, 480), (320, 240), (321, 240), (1280, 960)])
def test_goals_of_the_same_shape_are_taken(good: tuple[int, int]) -> None:
    size = FrameSize()
    assert "no frame of the camera has come yet" in size.goal(*good)
    size.frame(640, 480)
    assert size.goal(*good) == ""


@pytest.mark.parametrize("bad", [(480, 640), (1280, 720), (256, 256), (1, 10_000), (660, 480)])
def test_goals_of_another_shape_are_refused_with_both_sizes(bad: tuple[int, int]) -> None:
    size = FrameSize()
    size.frame(640, 480)
    said = size.goal(*bad)
    assert f"{bad[0]} x {bad[1]}" in said and "640 x 480" in said and "record the goals with this camera" in said
