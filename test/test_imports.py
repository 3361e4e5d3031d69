"""The contracts of .importlinter hold what they promise: each is broken by a line that it is there to refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all packages, to be spoilt."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / ".importlinter", folder)
    for package in ROOT.glob("wm_*/__init__.py"):
        shutil.copytree(package.parent, folder / package.parent.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def lint(folder: Path) -> tuple[int, str]:
    # Wide: the terminal's width decides where lines are folded.
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"}
    done = subprocess.run([sys.executable, "-c", LINT], cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_all_are_kept(tree: Path) -> None:
    status, said = lint(tree)
    assert status == 0, said


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("wm_core/pose.py", "import wm_models.bundle", "Imports point down"),
        ("wm_models/world_model.py", "from wm_planner import planner", "Imports point down"),
        ("wm_models/bundle.py", "from wm_ros import qos", "Imports point down"),
        ("wm_planner/goals.py", "import wm_controller.controller", "Imports point down"),
        ("wm_sim/expert.py", "from wm_perception import encoder", "Imports point down"),
        ("wm_lab/loop.py", "from wm_bringup import paths", "Imports point down"),
        ("wm_training/train.py", "from wm_lab import collect", "Imports point down"),
        ("wm_planner/optimisers/cem.py", "import rclpy", "know ROS"),
        ("wm_controller/controller.py", "from std_msgs.msg import String", "know ROS"),
        ("wm_controller/envelope.py", "from wm_ros import qos", "know ROS"),
        ("wm_controller/node_config.py", "from .arms.pose_stream import PoseStreamConfig", "know ROS"),
        ("wm_controller/envelope.py", "import wm_controller.arms.grippers.franka", "know ROS"),
        ("wm_planner/planner.py", "from .sight import Sight", "know ROS"),
        ("wm_training/train.py", "import wm_sim.sim_arm_node", "know ROS"),
        ("wm_planner/planner.py", "import torch", "has its room"),
        ("wm_models/world_model.py", "import onnxruntime", "has its room"),
        ("wm_models/backends/tensorrt.py", "import onnx", "has its room"),
        ("wm_bringup/report.py", "import mujoco", "has its room"),
        ("wm_lab/collect.py", "import mujoco", "has its room"),
    ],
)
def test_a_violation_breaks_its_contract(tree: Path, file: str, line: str, contract: str) -> None:
    path = tree / file
    kept = path.read_text()
    assert kept.count("from __future__ import annotations\n") == 1
    try:
        path.write_text(kept.replace("import annotations\n", f"import annotations\n\n{line}\n"))
        status, said = lint(tree)
    finally:
        path.write_text(kept)
    broken = [text for text in said.splitlines() if text.rstrip().partition(" BROKEN")[1]]
    assert status == 1 and any(contract in text for text in broken), said
