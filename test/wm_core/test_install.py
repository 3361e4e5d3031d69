from __future__ import annotations

import re
import sys
from pathlib import Path

from wm_core import install

ROOT = Path(__file__).parents[2]


def test_the_command_is_that_of_the_clones_own_environment() -> None:
    assert install.extra("train") == ".venv/bin/pip install -e '.[train]' (in the clone)"


def test_a_package_is_for_the_python_that_runs() -> None:
    assert install.package("mujoco") == f"{sys.executable} -m pip install --upgrade mujoco"


def test_no_sentence_names_another_pip() -> None:
    told = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.glob("wm_*/**/*.py")
        if path.name != "install.py"
        for line in path.read_text().splitlines()
        if re.search(r"pip\d? install (?!-e \.\W)", line)
    ]
    assert not told


def test_every_extra_that_is_named_exists() -> None:
    named = {
        name
        for path in ROOT.glob("wm_*/**/*.py")
        for name in re.findall(r"install\.extra\([\"'](\w+)[\"']\)", path.read_text())
    }
    assert named and all(f'"{name}"' in (ROOT / "setup.py").read_text() for name in named)
