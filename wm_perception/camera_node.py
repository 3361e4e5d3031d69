"""camera_node: publishes what a camera or a video file shows as ``camera/image_raw``.

Not needed where a ROS driver of the camera publishes that topic, nor in simulation.
"""

from __future__ import annotations

import sys
import threading

from wm_core.reports import Health
from wm_core.topics import CAMERA
from wm_ros import convert
from wm_ros.clock import steady_s
from wm_ros.diagnostics import Diagnostics, Rolling
from wm_ros.endpoints import publisher
from wm_ros.node import WmNode
from wm_ros.run import run_node

from .node_config import CameraConfig
from .sources import FrameSource, SourceError

REOPEN_PERIOD_S = 1.0


class CameraNode(WmNode[CameraConfig]):
    """One thread reads, because a camera's read blocks, and publishes each frame with the time at which it came."""

    def __init__(self) -> None:
        super().__init__("camera", CameraConfig)
        self._source: FrameSource | None = self.config.source.open()
        self._publisher = publisher(self, CAMERA)
        self._frames = Rolling()
        self._trouble = ""
        Diagnostics(self, self._health)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """A camera that fails is opened again and again: the controller holds until its frames are back."""
        while not self._closing.is_set():
            try:
                self._source = self.config.source.open() if self._source is None else self._source
                self._play(self._source)
                return
            except SourceError as error:
                self._trouble = str(error)
                self.warn(self._trouble)
                if self._source is not None:
                    self._source.close()
                    self._source = None
                self._closing.wait(REOPEN_PERIOD_S)

    def _play(self, source: FrameSource) -> None:
        due_s = steady_s()
        while not self._closing.is_set():
            if source.fps is not None:
                due_s = max(due_s + 1.0 / source.fps, steady_s() - 1.0 / source.fps)
                self._closing.wait(due_s - steady_s())
            if (frame := source.read()) is None:
                self._trouble = f"the {self.config.source.kind} is at its end"
                return
            rgb, stamp_s = frame
            if not self._closing.is_set():
                self._publisher.publish(convert.image_to_msg(rgb, convert.s_to_stamp(stamp_s), self.config.frame_id))
                self._frames.add(0.0)
                self._trouble = ""

    def _health(self) -> Health:
        return Health(not self._trouble, self._trouble, {"rate_hz": self._frames.rate_hz()})

    def close(self) -> None:
        self._closing.set()
        self._thread.join(2.0)
        if self._source is not None:
            self._source.close()


def main() -> None:
    sys.exit(run_node(CameraNode))


if __name__ == "__main__":
    main()
