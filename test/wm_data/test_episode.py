"""The schema says what data mean, and what it does not know is refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from wm_core.errors import ConfigError, WmError
from wm_data.episode import VERSION, ActionRange, CameraSpec, DataSpec, Episode

SPEC = DataSpec(
    version=VERSION,
    made_by="a test",
    about="Made up.",
    world="simulator",
    episodes=2,
    step_period_s=0.25,
    image_px=(4, 6),
    action=ActionRange((-0.05,) * 3 + (0.0,) * 3 + (-1.0,), (0.05,) * 3 + (0.0,) * 3 + (1.0,), (-1.0, 0.0, 1.0)),
    camera=CameraSpec("exterior", 5.0, 5.0, 3.0, 2.0),
    settings={"seed": 3, "share": 0.5},
)
EPISODE = Episode(
    frames=np.zeros((4, 4, 6, 3), np.uint8),
    stamps_s=0.25 * np.arange(4),
    states=np.zeros((4, 7), np.float32),
    asked=np.zeros((3, 7), np.float32),
    executed=np.zeros((3, 7), np.float32),
    camera_pose=np.full(6, np.nan),
)


def test_a_specification_is_read_as_it_was_written() -> None:
    values = json.loads(json.dumps(SPEC.as_dict()))
    assert DataSpec.read(values, "data.json") == SPEC
    assert DataSpec.read({**values, "camera": None}, "data.json") == replace(SPEC, camera=None)
    said = values["conventions"]
    assert said["action"] == ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]
    assert said["gripper"] == "0 open .. 1 closed" and "extrinsic xyz" in said["rotation"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": None}, "data.json has no schema version: .*in an empty folder with 'wm data generate'"),
        ({"version": 99}, f"data.json has the schema version 99, and this version of wm reads {VERSION}"),
        ({"conventions": {"gripper": "0 closed .. 1 open"}}, "conventions gripper = '0 closed .* convert the data"),
        ({"conventions": {"action": ["x"]}}, "conventions action = "),
        ({"frame": "world"}, "frame = 'world' is not known"),
        ({"pose_frame": "elbow"}, "pose_frame = 'elbow'"),
        ({"world": "dream"}, "world = 'dream'"),
        ({"episodes": 0}, "episodes = 0"),
        ({"step_period_s": 0.0}, "step_period_s = 0.0"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        DataSpec.read({**SPEC.as_dict(), **change}, "data.json")


def test_an_episode_is_what_the_specification_says() -> None:
    EPISODE.check(SPEC, "it")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"frames": np.zeros((4, 6, 4, 3), np.uint8)},
            r"it: frames is uint8 \(4, 6, 4, 3\), and must be ",
        ),
        ({"states": np.zeros((4, 7))}, "states is float64"),
        ({"asked": np.zeros((2, 7), np.float32)}, "it: frames is"),
        ({"executed": np.full((3, 7), np.nan, np.float32)}, "it: executed holds numbers that are not finite"),
        ({"stamps_s": np.array([0.0, 0.25, 0.25, 0.5])}, "stamps_s must begin with 0 and grow"),
        ({"stamps_s": 0.25 * np.arange(1.0, 5.0)}, "stamps_s must begin with 0 and grow"),
    ],
)
def test_another_episode_is_refused(change: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(WmError, match=says):
        replace(EPISODE, **change).check(SPEC, "it")


def test_reading_data_needs_no_simulator() -> None:
    code = """
import sys
import wm_data.formats, wm_training.dataset
wm_data.formats.FORMATS.load("shards")
print(sorted({name.partition(".")[0] for name in sys.modules} & {"mujoco", "wm_sim", "torch", "cv2", "rclpy"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
