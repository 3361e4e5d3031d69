"""The scripted expert places the cube, and its pictures are what the planner gets."""

import cv2
import numpy as np
import pytest

from wm_core.errors import WmError
from wm_sim.expert import demonstrate, pick_goals, record_goals
from wm_sim.scene import PandaScene


def test_the_expert_places_the_cube_and_takes_eight_pictures():
    scene = PandaScene()
    try:
        for seed in (0, 1, 2):
            scene.reset(seed)
            shown = demonstrate(scene)
            assert scene.placed()
            assert len(shown.frames) == len(shown.states) == 8
            assert shown.states[2][6] > 0.3, "the third picture shows a closed gripper"
            assert all(np.any(a != b) for a, b in zip(shown.frames, shown.frames[1:], strict=False))
    finally:
        scene.close()


@pytest.mark.parametrize(("count", "wanted"), [(8, list(range(8))), (3, [2, 5, 7]), (1, [7])])
def test_goals_are_taken_evenly_and_with_the_last(count, wanted):
    assert pick_goals(count, 8) == wanted


@pytest.mark.parametrize("count", [0, 9])
def test_a_wrong_number_of_goals_is_refused(count):
    with pytest.raises(WmError, match=r"1\.\.8"):
        pick_goals(count, 8)


def test_recorded_goals_are_pictures_in_order(tmp_path):
    paths = record_goals(3, tmp_path / "goals", goals=3)
    assert [p.name for p in paths] == ["goal_00.png", "goal_01.png", "goal_02.png"]
    assert cv2.imread(str(paths[0])).shape == (128, 128, 3)


def test_pictures_that_cannot_be_written_are_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WmError, match=r"cannot write .*goal_00\.png"):
        record_goals(3, tmp_path / "file", goals=1)
