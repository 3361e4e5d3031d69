"""The parameters of camera_node (the preset of a camera) and of encoder_node. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.axes import Axes
from wm_core.config import within
from wm_core.limits import HISTORY_S


@dataclass(frozen=True)
class CameraConfig:
    """Parameters of camera_node.

    ``source`` is an index, a device or a video file. ``width``, ``height`` and ``fps`` are asked of a camera; a file
    plays at its own rate, and starts again if ``loop``. ``axes`` is for the planner: 'wm calibrate' leaves it in this
    camera's file, because it holds for where the camera stands. Raises ConfigError where a number is out of its range.
    """

    source: str = "0"
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    loop: bool = True
    frame_id: str = "camera"
    axes: Axes = field(default_factory=Axes)

    def __post_init__(self) -> None:
        # Wider than what any camera offers: the fastest of V4L2 has 1000 frames a second and the largest 20000 pixels.
        for name, low, high in (("width", 1, 20_000), ("height", 1, 20_000), ("fps", 0.1, 1000.0)):
            if (value := getattr(self, name)) is not None:
                within(f"camera {name}", value, low, high)


@dataclass(frozen=True)
class EncoderConfig:
    """Parameters of encoder_node.

    ``bundle`` is a folder; frames older than ``max_age_s`` are dropped; ``camera_frame`` is the frame id that images
    must carry ("" takes any: camera drivers differ).
    """

    bundle: str = ""
    backend: str = "onnxruntime"
    threads: int = 1
    max_age_s: float = 0.3
    camera_frame: str = ""

    def __post_init__(self) -> None:
        within("max_age_s of the encoder", self.max_age_s, 0.001, HISTORY_S, "s")
