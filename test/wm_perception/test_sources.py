from __future__ import annotations

from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from wm_core.config import from_dict, from_layers
from wm_core.errors import ConfigError, WmError
from wm_perception.node_config import CameraConfig
from wm_perception.sources import FrameSource, SourceError
from wm_perception.sources.device import DeviceConfig
from wm_perception.sources.video import VideoConfig, VideoSource

#: Red, green and blue, (R, G, B): far enough apart to survive a lossy codec.
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames, 48 x 32, at 12.5 frames per second."""
    path = tmp_path_factory.mktemp("video") / "three.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (48, 32))
    for colour in COLOURS:
        writer.write(np.full((32, 48, 3), colour[::-1], dtype=np.uint8))
    writer.release()
    return path


def play(path: Path, **settings: bool) -> FrameSource:
    return VideoConfig(file=str(path), **settings).open()


def colours(source: FrameSource, n: int) -> list[int]:
    """Which of COLOURS the next n frames are."""
    found = []
    for _ in range(n):
        reading = source.read()
        assert reading is not None
        difference = np.abs(reading[0].mean(axis=(0, 1)) - COLOURS).sum(axis=1)
        assert difference.min() < 15
        found.append(int(difference.argmin()))
    return found


def test_video_gives_rgb_frames_with_the_time_of_reading(video):
    ticks = count(100)
    source = VideoSource(VideoConfig(file=str(video)), clock=lambda: float(next(ticks)))
    assert source.fps == pytest.approx(12.5)
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert first[0].shape == (32, 48, 3)
    assert first[0].dtype == np.uint8
    assert (first[1], second[1]) == (100.0, 101.0)
    source.close()


def test_video_ends(video):
    source = play(video, loop=False)
    assert colours(source, 3) == [0, 1, 2]
    assert source.read() is None
    assert source.read() is None


def test_video_loops(video):
    assert colours(play(video), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_a_closed_video_has_ended(video):
    source = play(video)
    source.close()
    source.close()
    assert source.read() is None


def test_missing_video(tmp_path):
    with pytest.raises(SourceError, match=r"no video file .*gone\.mp4"):
        play(tmp_path / "gone.mp4")
    with pytest.raises(SourceError, match="no video file"):
        play(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"RIFF\x00\x00\x00\x00AVI "])
def test_file_that_is_no_video(tmp_path, content):
    path = tmp_path / "notes.avi"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.avi cannot be read as a video"):
        play(path)


def test_truncated_video_is_a_sentence_or_fewer_frames(video, tmp_path):
    path = tmp_path / "cut.avi"
    path.write_bytes(video.read_bytes()[:700])
    with pytest.raises(WmError) as error:  # the header is whole, the first frame is not
        source = play(path)
        source.read()
    assert "cut.avi" in str(error.value)


def test_missing_camera():
    with pytest.raises(SourceError, match="there is no camera at /dev/video987; plug it in"):
        DeviceConfig(device="/dev/video987").open()


def test_device_that_is_no_camera():
    with pytest.raises(SourceError, match="/dev/null cannot be opened"):
        DeviceConfig(device="/dev/null").open()


def test_an_index_is_a_camera_of_linux():
    with pytest.raises(SourceError, match="no camera at /dev/video987"):
        DeviceConfig(device="987", width=640, height=480, fps=30.0).open()


def test_each_kind_has_settings_of_its_own(video):
    assert from_dict(CameraConfig, {}).source == DeviceConfig()
    below = {"source": {"kind": "device", "width": 640, "fps": 30.0}}
    made = from_layers(CameraConfig, [("", below), ("", {"source": {"kind": "video", "file": str(video)}})], "camera")
    assert made.source == VideoConfig(file=str(video)) and made.source.open().fps == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"source": "0"}, r"source must be a mapping of keys to values with a kind \(device, video\), not '0'"),
        ({"width": 640}, "unknown key 'width'; did you mean 'source.width'"),
        ({"source": {"kind": "video", "file": "a.mp4", "fps": 9.0}}, "source has an unknown key 'fps'"),
        ({"source": {"kind": "video"}}, "source lacks the key 'file'"),
        ({"source": {"kind": "photo"}}, "no camera source 'photo'.*: device, video"),
        ({"source": {"width": 0}}, "camera width = 0 is outside"),
    ],
)
def test_what_a_source_does_not_know_is_refused(wrong, says):
    with pytest.raises(ConfigError, match=says):
        from_dict(CameraConfig, wrong)
