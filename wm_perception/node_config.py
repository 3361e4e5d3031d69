"""The parameters of camera_node: the preset of a camera. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.axes import Axes


@dataclass(frozen=True)
class CameraConfig:
    """Parameters of camera_node.

    ``source`` is an index, a device or a video file. ``width``, ``height`` and ``fps`` are asked of a camera; a file
    plays at its own rate, and starts again if ``loop``. ``axes`` is for the planner: 'wm calibrate' leaves it in this
    camera's file, because it holds for where the camera stands.
    """

    source: str = "0"
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    loop: bool = True
    frame_id: str = "camera"
    axes: Axes = field(default_factory=Axes)
