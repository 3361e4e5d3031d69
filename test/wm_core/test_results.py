from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wm_core import results
from wm_core.errors import WmError


def test_what_json_does_not_have_is_null_or_text() -> None:
    value = {"a": math.nan, "b": [math.inf, -math.inf, 1.5], 3: (np.float32(2.0), np.arange(2)), "p": Path("x")}
    assert json.loads(results.to_json(value)) == {"a": None, "b": [None, None, 1.5], "3": [2.0, [0, 1]], "p": "x"}
    assert json.loads(results.to_json([True, None, np.bool_(False), np.nan])) == [True, None, False, None]
    assert json.loads(results.to_json({"deep": [{"nan": np.array([np.nan])}]})) == {"deep": [{"nan": [None]}]}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    results.write_json(tmp_path / "new" / "out.json", {"a": 1})
    results.write_json(tmp_path / "new" / "out.json", {"a": 2})
    assert json.loads((tmp_path / "new" / "out.json").read_text()) == {"a": 2}
    assert os.listdir(tmp_path / "new") == ["out.json"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the write fails in the same place."""
    path = tmp_path / "out.json"
    results.write_json(path, {"a": 1})
    program = (
        "import resource, sys\nfrom wm_core import results\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "results.write_json(sys.argv[1], list(range(1000)))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert f"cannot write {path}: File too large" in done.stderr
    assert json.loads(path.read_text()) == {"a": 1} and os.listdir(tmp_path) == ["out.json"]


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "true.json")
    results.write_json(tmp_path / "link.json", 1)
    assert (tmp_path / "link.json").is_symlink() and (tmp_path / "true.json").read_text() == "1\n"
    results.check_writable("/dev/null")
    results.write_json("/dev/null", 1)
    assert Path("/dev/null").is_char_device()


def test_a_place_is_checked_and_left_as_it_was(tmp_path: Path) -> None:
    results.check_writable(tmp_path / "out.json")
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_text("x")
    for path, cause in ((tmp_path, "it is a folder"), (tmp_path / "file" / "out.json", "")):
        with pytest.raises(WmError, match=f"cannot write {path}: .*{cause}.*; choose another place"):
            results.check_writable(path)
        with pytest.raises(WmError, match=f"cannot write {path}"):
            results.write_json(path, 1)
