"""A video file, played at the rate at which it was recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from ._rgb import rgb
from .base import Frame, FrameSource, SourceConfig, SourceError


@dataclass(frozen=True)
class VideoConfig(SourceConfig):
    """``file`` is a video that OpenCV can read; ``loop``: it starts again at its end."""

    kind: str = "video"
    file: str = field(kw_only=True)
    loop: bool = True

    def open(self) -> VideoSource:
        """See :meth:`SourceConfig.open`."""
        return VideoSource(self)


class VideoSource(FrameSource):
    """Gives the next frame at once. A frame is stamped when it is read, as if a camera had just taken it.

    Raises SourceError where the file is missing, is not a video that OpenCV can read, or has no frame rate. ``clock``:
    seconds of the wall clock.
    """

    def __init__(self, config: VideoConfig, clock: Callable[[], float] = time.time) -> None:
        if not Path(config.file).is_file():
            raise SourceError(f"there is no video file {config.file}; check its name")
        self._file, self._loop, self._clock = config.file, config.loop, clock
        self._capture = cv2.VideoCapture(self._file)
        self.fps = fps = self._capture.get(cv2.CAP_PROP_FPS)
        if not self._capture.isOpened() or not 0.0 < fps < math.inf:
            self._capture.release()
            raise SourceError(f"{self._file} cannot be read as a video; convert it to an MP4 or AVI file")

    def read(self) -> tuple[Frame, float] | None:
        read, bgr = self._capture.read()
        if not read and self._loop:
            # Opened again rather than rewound: seeking does not work in every container.
            self._capture.open(self._file)
            read, bgr = self._capture.read()
            if not read:
                raise SourceError(f"{self._file} holds no frame that can be decoded; convert it to another format")
        return (rgb(bgr), self._clock()) if read else None

    def close(self) -> None:
        # After release() reading ends instead of starting again.
        self._loop = False
        self._capture.release()


KIND = VideoConfig
