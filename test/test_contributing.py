"""The worked example of CONTRIBUTING.md does what it says, in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = re.compile(r'= Kinds\("([^"]+)", "([^"]+)"')
FILES = re.compile(r"<!-- (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in ("wm_bringup", "wm_controller", "wm_core", "wm_models", "wm_perception", "wm_planner", "wm_ros"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("wm_data", "wm_lab", "wm_sim", "wm_training", "config", "models", "package.xml", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    for name, text in FILES.findall((ROOT / "CONTRIBUTING.md").read_text()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(clone: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(clone), "PYTHONSAFEPATH": "1"}
    return subprocess.run([sys.executable, *words], cwd=clone, env=environment, capture_output=True, text=True)


def test_the_example_is_there(clone: Path) -> None:
    assert (clone / "wm_planner" / "costs" / "low.py").is_file() and (clone / "test").is_dir()


def test_every_table_of_kinds_is_listed() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tables = [found for file in ROOT.glob("wm_*/**/*.py") for found in TABLE.findall(file.read_text())]
    assert len(tables) >= 12
    for what, package in tables:
        group = f"wm_bringup.{package.rpartition('.')[2]}"
        assert f"| {what} | `{package.replace('.', '/')}` | `{group}` |" in text


def test_its_test_passes_and_so_do_the_linters(clone: Path) -> None:
    found = run(clone, "-m", "pytest", "test", "--import-mode=importlib", "-p", "no:cacheprovider")
    assert found.returncode == 0 and "1 passed" in found.stdout, found.stdout + found.stderr
    for words in (("check", "--no-cache"), ("format", "--check", "--no-cache")):
        found = run(clone, "-m", "ruff", *words, "wm_planner/costs/low.py", "test")
        assert found.returncode == 0, found.stdout


def test_a_file_of_configuration_chooses_it(clone: Path) -> None:
    words = ("config", "show", "planner", "--set", "planner.costs.low.weight=0.5")
    found = run(clone, "-m", "wm_bringup.cli", *words)
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["costs.low.weight", "0.5", "given"] in lines and ["costs.low.height_m", "0.3", "default"] in lines
