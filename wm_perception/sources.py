"""Frame sources: a camera device or a video file, behind one small protocol."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError

Frame = NDArray[np.uint8]


class SourceError(WmError):
    """A camera or a video file cannot be opened, or has stopped giving frames."""


class FrameSource(Protocol):
    """Anything that gives RGB frames."""

    def read(self) -> tuple[Frame, float] | None:
        """The next frame, uint8 ``(H, W, 3)`` RGB, and its stamp in seconds of the wall clock.

        None where the source has come to its end. Raises SourceError where it fails.
        """

    def close(self) -> None:
        """Release the device or the file. Calling it twice does no harm."""


class DeviceSource:
    """A USB or other V4L2 camera. ``read`` waits for the next frame.

    Args:
        device: its path, such as ``/dev/video0`` or, better as it survives replugging, ``/dev/v4l/by-id/...``.
        width, height, fps: asked of the driver, which may choose others; None leaves the driver's own.
        clock: seconds of the wall clock.

    Raises SourceError where the device is missing or cannot be opened.
    """

    def __init__(
        self,
        device: str | Path,
        *,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not Path(device).exists():
            raise SourceError(f"there is no camera at {device}; plug it in, or name another device")
        self._device, self._clock = device, clock
        self._capture = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"the camera {device} cannot be opened; close other programs that use it, and check that you are in "
                "the group 'video'"
            )
        # One buffer: an old frame that waits in the driver would be stamped as if it were new.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
        ):
            if value is not None:
                self._capture.set(setting, value)

    def read(self) -> tuple[Frame, float] | None:
        if not self._capture.grab():
            raise SourceError(f"the camera {self._device} gives no more frames; check its cable")
        stamp_s = self._clock()  # before decoding, which takes milliseconds
        decoded, bgr = self._capture.retrieve()
        if not decoded:
            raise SourceError(f"a frame of the camera {self._device} cannot be decoded; check its cable")
        return _rgb(bgr), stamp_s

    def close(self) -> None:
        self._capture.release()


class VideoSource:
    """A video file. ``read`` returns at once: the caller paces it at ``fps``.

    Args:
        path: the file.
        loop: start again at the end; otherwise ``read`` then returns None.
        clock: seconds of the wall clock; a frame is stamped when it is read, as if a camera had just taken it.

    Raises SourceError where the file is missing, is not a video that OpenCV can read, or has no frame rate.
    """

    def __init__(self, path: str | Path, *, loop: bool = True, clock: Callable[[], float] = time.time) -> None:
        if not Path(path).is_file():
            raise SourceError(f"there is no video file {path}; check its name")
        self._path, self._loop, self._clock = path, loop, clock
        self._capture = cv2.VideoCapture(str(path))
        #: Frames per second that the file was recorded at.
        self.fps: float = self._capture.get(cv2.CAP_PROP_FPS)
        if not self._capture.isOpened() or not 0.0 < self.fps < math.inf:
            self._capture.release()
            raise SourceError(f"{path} cannot be read as a video; convert it to an MP4 or AVI file")

    def read(self) -> tuple[Frame, float] | None:
        read, bgr = self._capture.read()
        if not read and self._loop:
            # Opened again rather than rewound: seeking does not work in every container.
            self._capture.open(str(self._path))
            read, bgr = self._capture.read()
            if not read:
                raise SourceError(f"{self._path} holds no frame that can be decoded; convert it to another format")
        return (_rgb(bgr), self._clock()) if read else None

    def close(self) -> None:
        # After release() reading ends instead of starting again.
        self._loop = False
        self._capture.release()


def open_source(
    name: str | Path,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    loop: bool = True,
) -> DeviceSource | VideoSource:
    """A camera, for an index such as ``0`` or a path below ``/dev``; otherwise a video file. Raises SourceError.

    ``width``, ``height`` and ``fps`` are for a camera, ``loop`` is for a file.
    """
    path = Path(f"/dev/video{name}" if str(name).isdigit() else name)
    if path.is_relative_to("/dev"):
        return DeviceSource(path, width=width, height=height, fps=fps)
    return VideoSource(path, loop=loop)


def _rgb(bgr: cv2.typing.MatLike) -> Frame:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
