"""A USB or other V4L2 camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from wm_core.config import within

from ._rgb import rgb
from .base import Frame, FrameSource, SourceConfig, SourceError


@dataclass(frozen=True)
class DeviceConfig(SourceConfig):
    """``device`` is an index or, as it survives replugging, a path such as ``/dev/v4l/by-id/...``.

    ``width``, ``height`` (pixels) and ``fps`` are asked of the driver, which may choose others; null leaves its own.
    Raises ConfigError where a number is out of its range.
    """

    device: str = "0"
    width: int | None = None
    height: int | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        # Wider than what any camera offers: the fastest of V4L2 has 1000 frames a second and the largest 20000 pixels.
        for name, low, high in (("width", 1, 20_000), ("height", 1, 20_000), ("fps", 0.1, 1000.0)):
            if (value := getattr(self, name)) is not None:
                within(f"camera {name}", value, low, high)

    def open(self) -> DeviceSource:
        """See :meth:`SourceConfig.open`."""
        return DeviceSource(self)


class DeviceSource(FrameSource):
    """Waits for each frame. Raises SourceError where the device is missing or cannot be opened.

    ``clock``: seconds of the wall clock.
    """

    def __init__(self, config: DeviceConfig, clock: Callable[[], float] = time.time) -> None:
        device = f"/dev/video{config.device}" if config.device.isdigit() else config.device
        if not Path(device).exists():
            raise SourceError(f"there is no camera at {device}; plug it in, or name another device")
        self._device, self._clock = device, clock
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"the camera {device} cannot be opened; close other programs that use it, and check that you are in "
                "the group 'video'"
            )
        # One buffer: an old frame that waits in the driver would be stamped as if it were new.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for setting, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, config.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, config.height),
            (cv2.CAP_PROP_FPS, config.fps),
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
        return rgb(bgr), stamp_s

    def close(self) -> None:
        self._capture.release()


KIND = DeviceConfig
