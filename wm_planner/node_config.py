"""The parameters of planner_node, and of calibrate_node, which takes its place in a calibration."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.axes import Axes
from wm_core.config import within
from wm_core.errors import ConfigError
from wm_core.limits import CEILING, HISTORY_S, Limits
from wm_core.measured import MeasuredConfig

from .calibration import CalibrationConfig
from .planner import PlannerConfig

#: No arm swings for so long after a move, and no camera is so late.
MOST_SETTLE_S = 60.0


@dataclass(frozen=True)
class SightConfig:
    """What both have in common.

    A latent older than ``max_age_s``, or with no measured state within ``max_state_gap_s`` of its stamp, is not used.
    Raises ConfigError where one of them is out of its range.
    """

    bundle: str = ""
    backend: str = "onnxruntime"
    threads: int = 1
    #: Candidates are imagined so many at a time that they fit into this, the model's weights not counted.
    memory_mb: float = 1024.0
    base_frame: str = "base"
    camera_frame: str = ""
    max_age_s: float = 0.3
    max_state_gap_s: float = 0.1
    #: How the model's axes lie for the camera, from its preset; see 'wm calibrate'.
    axes: Axes = field(default_factory=Axes)
    limits: Limits = field(default_factory=Limits)
    measured: MeasuredConfig = field(default_factory=MeasuredConfig)

    def _check_ages(self) -> None:
        within("memory_mb", self.memory_mb, 1.0, 1e6, "MB")
        within("max_age_s", self.max_age_s, 0.0, HISTORY_S, "s")
        # The controller does not act on an arm that was not heard of for longer either.
        within("max_state_gap_s", self.max_state_gap_s, 0.0, CEILING["state_timeout_s"], "s")


@dataclass(frozen=True)
class PlannerNodeConfig(SightConfig, PlannerConfig):
    """Parameters of planner_node: those of the core, and these.

    ``goal`` is a folder of pictures, or one picture ("" if others publish ``goal/image``).
    """

    goal: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ages()


@dataclass(frozen=True)
class CalibrateNodeConfig(SightConfig, CalibrationConfig):
    """Parameters of calibrate_node: those of the core, and these. Raises ConfigError on nonsense.

    Of ``axes`` the centre and whether the hand is turned are kept; an angle that was found before is not looked at.
    """

    #: The camera's preset, into which the axes are written.
    out: str = ""
    #: How long the arm is left alone after a move before it is looked at; longer than the camera's latency.
    settle_s: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ages()
        if not self.out:
            raise ConfigError("a calibration needs 'out', the camera preset to write")
        within("settle_s", self.settle_s, 0.0, MOST_SETTLE_S, "s")
        if not (self.limits.speed_m_s > 0.0 and self.limits.accel_m_s2 > 0.0):
            raise ConfigError("the limits allow no motion, and a calibration needs moves")
