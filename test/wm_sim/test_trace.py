"""A trace that cannot be written is found before the run, and one that fails after it is a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wm_core.errors import WmError
from wm_sim.trace import Trace


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    trace = Trace(str(tmp_path / "run.npz"))
    qpos = np.arange(3.0)
    for _ in range(2):
        trace.add(qpos)
        qpos += 1.0
    assert trace.write() == ""
    with np.load(tmp_path / "run.npz") as file:
        np.testing.assert_array_equal(file["qpos"], [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]])


def test_a_run_without_pictures_leaves_no_file(tmp_path: Path) -> None:
    assert Trace(str(tmp_path / "run.npz")).write() == "" and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "says"),
    [("nowhere/run.npz", "name a file in a folder"), ("run.txt", r"named \*.npz"), ("d.npz", "name a")],
)
def test_an_unwritable_place_is_refused_at_once(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(WmError, match=says):
        Trace(str(tmp_path / name))


def test_a_folder_that_has_gone_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    trace = Trace(str(tmp_path / "a" / "run.npz"))
    trace.add(np.zeros(2))
    (tmp_path / "a").rmdir()
    assert "was not written: No such file" in trace.write()
