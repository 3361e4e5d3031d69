from __future__ import annotations

from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from wm_core.errors import WmError
from wm_perception.sources import DeviceSource, SourceError, VideoSource, open_source

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


def colours(source: VideoSource, n: int) -> list[int]:
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
    source = VideoSource(video, clock=lambda: float(next(ticks)))
    assert source.fps == pytest.approx(12.5)
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert first[0].shape == (32, 48, 3)
    assert first[0].dtype == np.uint8
    assert (first[1], second[1]) == (100.0, 101.0)
    source.close()


def test_video_ends(video):
    source = VideoSource(video, loop=False)
    assert colours(source, 3) == [0, 1, 2]
    assert source.read() is None
    assert source.read() is None


def test_video_loops(video):
    assert colours(VideoSource(video), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_a_closed_video_has_ended(video):
    source = VideoSource(video)
    source.close()
    source.close()
    assert source.read() is None


def test_missing_video(tmp_path):
    with pytest.raises(SourceError, match=r"no video file .*gone\.mp4"):
        VideoSource(tmp_path / "gone.mp4")
    with pytest.raises(SourceError, match="no video file"):
        VideoSource(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"RIFF\x00\x00\x00\x00AVI "])
def test_file_that_is_no_video(tmp_path, content):
    path = tmp_path / "notes.avi"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.avi cannot be read as a video"):
        VideoSource(path)


def test_truncated_video_is_a_sentence_or_fewer_frames(video, tmp_path):
    path = tmp_path / "cut.avi"
    path.write_bytes(video.read_bytes()[:700])
    with pytest.raises(WmError) as error:  # the header is whole, the first frame is not
        source = VideoSource(path)
        source.read()
    assert "cut.avi" in str(error.value)


def test_missing_camera():
    with pytest.raises(SourceError, match="there is no camera at /dev/video987; plug it in"):
        DeviceSource("/dev/video987")


def test_device_that_is_no_camera():
    with pytest.raises(SourceError, match="/dev/null cannot be opened"):
        DeviceSource("/dev/null")


def test_open_source_tells_cameras_from_files(video):
    source = open_source(video, loop=False)
    assert isinstance(source, VideoSource)
    assert colours(source, 3) == [0, 1, 2]
    assert source.read() is None
    for camera in ("987", "/dev/video987"):
        with pytest.raises(SourceError, match="no camera at /dev/video987"):
            open_source(camera, width=640, height=480, fps=30.0)
