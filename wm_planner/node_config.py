"""The parameters of planner_node."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.axes import Axes
from wm_core.limits import Limits
from wm_core.measured import MeasuredConfig

from .planner import PlannerConfig


@dataclass(frozen=True)
class PlannerNodeConfig(PlannerConfig):
    """Parameters of planner_node: those of the core, and these.

    ``goal`` is a folder of pictures ("" if others publish ``goal/image``). A latent older than ``max_age_s``, or with
    no measured state within ``max_state_gap_s`` of its stamp, is not planned from.
    """

    bundle: str = ""
    goal: str = ""
    backend: str = "onnxruntime"
    threads: int = 1
    base_frame: str = "base"
    camera_frame: str = ""
    max_age_s: float = 0.3
    max_state_gap_s: float = 0.1
    #: How the model's axes lie for the camera, from its preset; see 'wm calibrate'.
    axes: Axes = field(default_factory=Axes)
    limits: Limits = field(default_factory=Limits)
    measured: MeasuredConfig = field(default_factory=MeasuredConfig)
