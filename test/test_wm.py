"""The script ``wm`` in a clone that was copied or moved, with a stand-in for the Python of its .venv."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Notes what it is asked to do, and whose code it would run.
PYTHON = """#!/bin/sh
[ "$1" = -c ] && exit "${NO_PIP:-0}"
if [ "$1 $2" = "-m venv" ]; then rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; fi
echo "$*, from ${PYTHONPATH%%:*}, safe ${PYTHONSAFEPATH:-0}" >> "$LOG"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose .venv is there, and not yet filled."""
    folder = tmp_path / "clone"
    (folder / "wm_bringup").mkdir(parents=True)
    (folder / "wm_bringup" / "__init__.py").touch()
    for name in ("wm", "setup.py"):
        shutil.copy(ROOT / name, folder / name)
    return with_python(folder, PYTHON)


def with_python(folder: Path, text: str) -> Path:
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(text)
    python.chmod(0o755)
    return folder


def wm(folder: Path, *words: str, cwd: Path | None = None, **more: str) -> tuple[int, list[str]]:
    """Exit status of ``wm``, and what its Python was asked to do."""
    log = folder.parent / "log"
    log.unlink(missing_ok=True)
    environment = {**os.environ, "LOG": str(log), **more}
    ended = subprocess.run([str(folder / "wm"), *words], cwd=cwd, env=environment, capture_output=True, timeout=60)
    return ended.returncode, log.read_text().splitlines() if log.exists() else []


def test_it_installs_once_and_then_only_runs(clone: Path) -> None:
    status, said = wm(clone, "pick_place", "--seed", "3")
    assert status == 0 and [line.split()[:3] for line in said[:2]] == [["-m", "pip", "install"]] * 2
    assert said[2:] == [f"-m wm_bringup.cli pick_place --seed 3, from {clone}, safe 1"]
    assert wm(clone, "eval") == (0, [f"-m wm_bringup.cli eval, from {clone}, safe 1"])


def test_tests_are_installed_in_one_go_and_the_live_ones_run_alone(clone: Path) -> None:
    status, said = wm(clone, "test")
    assert status == 0 and [line.split()[:3] for line in said[:2]] == [["-m", "pip", "install"]] * 2
    assert f"-e {clone}[ros,sim,train,dev]" in said[0] and "gym-hil" in said[1]
    assert [line.partition(",")[0] for line in said[2:]] == [
        "-m ruff check .",
        "-m mypy",
        "-m pytest -m not live -n 2 --dist loadfile",
        "-m pytest -m live",
    ]
    assert [line.partition(",")[0] for line in wm(clone, "test", "test/wm_core", "-x")[1][2:]] == [
        "-m pytest test/wm_core -x"
    ]
    assert len(wm(clone, "eval")[1]) == 1, "what the tests need includes what wm needs"


@pytest.mark.parametrize("how", [shutil.copytree, shutil.move])
def test_a_clone_in_another_place_installs_anew_and_runs_its_own_code(clone: Path, how) -> None:
    wm(clone)
    other = clone.parent / "other place"
    how(clone, other)
    status, said = wm(other, "eval", cwd=clone if clone.exists() else None)
    assert status == 0 and f"-e {other}[ros,sim]" in said[0]
    assert said[-1] == f"-m wm_bringup.cli eval, from {other}, safe 1"
    assert len(wm(other, "eval")[1]) == 1


def test_a_link_to_the_script_runs_the_clone_that_it_points_to(clone: Path) -> None:
    (clone.parent / "bin").mkdir()
    (clone.parent / "bin" / "wm").symlink_to(clone / "wm")
    assert wm(clone.parent / "bin")[0] == 0
    assert wm(clone, "eval")[1] == [f"-m wm_bringup.cli eval, from {clone}, safe 1"]


def test_what_the_user_has_on_the_path_comes_after_the_clone(clone: Path) -> None:
    assert wm(clone, "eval", PYTHONPATH="/theirs")[1][-1].endswith(f"from {clone}, safe 1")


@pytest.mark.parametrize("broken", ["no interpreter", "no pip", "nothing"])
def test_a_venv_that_does_not_run_here_is_made_anew(clone: Path, broken: str) -> None:
    """Copied from a machine with another Python."""
    clone = Path(shutil.move(clone, clone.parent / "copied"))
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    if broken == "no interpreter":
        python.symlink_to("/nowhere/python3")
    elif broken == "no pip":
        with_python(clone, "#!/bin/sh\nexit 1\n")
    found = with_python(clone.parent / "system", PYTHON).parent / "system" / ".venv" / "bin"
    (found / "python3").symlink_to(found / "python")
    status, said = wm(clone, "eval", PATH=f"{found}:{os.environ['PATH']}")
    assert status == 0 and said[0].startswith(f"-m venv --clear {clone}/.venv")
    assert said[-1].startswith("-m wm_bringup.cli eval")
