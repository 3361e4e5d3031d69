"""The parameters of camera_node (the preset of a camera) and of encoder_node. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.axes import Axes
from wm_core.config import within
from wm_core.limits import HISTORY_S

from .sources import SOURCES, SourceConfig


@dataclass(frozen=True)
class CameraConfig:
    """Parameters of camera_node.

    ``axes`` is for the planner: 'wm calibrate' leaves it in this camera's file, because it holds for where the camera
    stands.
    """

    source: SourceConfig = field(default_factory=lambda: SOURCES.load("device")())
    frame_id: str = "camera"
    axes: Axes = field(default_factory=Axes)


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
