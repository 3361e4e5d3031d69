from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from wm_bringup import report
from wm_core.errors import WmError

GOALS = [np.full((64, 64, 3), 40 * k, dtype=np.uint8) for k in range(3)]


def rows(count: int) -> list[report.PlanRow]:
    return [
        report.PlanRow(0.25 * k, k // 4, math.nan if k == 2 else 1.0 / (1 + k), 10.0 + k, 40.0, "step" if k else "ok")
        for k in range(count)
    ]


def test_live_line() -> None:
    assert report.live_line(2, 8, 0.214, 23.4, "ok") == "sub-goal 3/8  energy 0.21  plan 23 ms  guardrails ok"
    assert report.live_line(0, 8, None, None, "ok") == "sub-goal 1/8  guardrails ok"


def test_film_runs_in_real_time_and_shows_the_goal(tmp_path: Path) -> None:
    film = report.Film(tmp_path / "run.mp4", GOALS)
    red = np.zeros((64, 64, 3), dtype=np.uint8)
    red[..., 0] = 255
    for k in range(20):  # 10 Hz for 2 s, with a pause of a second in the middle
        film.add(red, 100.0 + 0.1 * k + (k > 9), 2, "sub-goal 3/3")
    film.close()
    capture = cv2.VideoCapture(str(tmp_path / "run.mp4"))
    assert abs(capture.get(cv2.CAP_PROP_FRAME_COUNT) / report.FPS - 2.9) < 0.2
    _, frame = capture.read()
    assert frame.shape == (report.SIDE_PX + report.BAR_PX, report.SIDE_PX, 3)
    assert frame[300, 100, 2] > 200 and frame[300, 100, 0] < 60, "the camera's picture, red"
    assert frame[60, -60].max() < 120, "the goal in the corner, grey"


def test_energy_plot(tmp_path: Path) -> None:
    for count in (0, 1, 30):
        report.draw_energy(tmp_path / "energy.png", rows(count), "a run")
        picture = cv2.imread(str(tmp_path / "energy.png"))
        assert picture.shape == (480, 960, 3) and picture.min() < 100


def test_statistics() -> None:
    figures = report.statistics(rows(11))
    assert figures["plans"] == 11 and figures["plan_ms_p50"] == 15.0 and figures["guardrail_activity"] == {"step": 10}
    assert report.statistics([])["plan_ms_p99"] is None


def test_a_film_of_strange_frames_is_a_film_all_the_same(tmp_path: Path) -> None:
    film = report.Film(tmp_path / "run.mp4", GOALS)
    for k, shape in enumerate([(1, 4000, 3), (64, 64, 3), (3000, 1, 3), (64, 64, 3)]):
        film.add(np.zeros(shape, dtype=np.uint8), 0.1 * k, 1, "")
    film.close()
    assert cv2.VideoCapture(str(tmp_path / "run.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 4


def test_a_film_or_plot_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "run.mp4").mkdir()
    (tmp_path / "energy.png").mkdir()
    film = report.Film(tmp_path / "run.mp4", GOALS)
    film.add(np.zeros((64, 64, 3), dtype=np.uint8), 0.0, 0, "")
    with pytest.raises(WmError, match=r"cannot write .*run\.mp4"):
        film.close()
    with pytest.raises(WmError, match=r"cannot write .*energy\.png"):
        report.draw_energy(tmp_path / "energy.png", rows(3), "a run")
