"""The parameters of the simulated arms. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core import seeds
from wm_core.errors import ConfigError

from .failures import Failure


@dataclass(frozen=True)
class SimArmConfig:
    """Parameters of sim_arm_node.

    ``seed`` chooses the scene; ``rate_hz`` is that of the arm's topics; ``camera_azimuth_deg`` is that of Camera;
    ``trace`` is a file (.npz) for the joint positions of the run, from which ``wm picture`` draws it again ("": none).
    """

    seed: int = 0
    rate_hz: float = 50.0
    camera_hz: float = 12.5
    camera_azimuth_deg: float = 0.0
    trace: str = ""
    base_frame: str = "base"
    camera_frame: str = "camera"

    def __post_init__(self) -> None:
        seeds.checked(self.seed)
        if not 0.0 < self.camera_hz <= self.rate_hz <= 250.0:
            raise ConfigError("the rates of the simulated arm must be 0 < camera_hz <= rate_hz <= 250")
        if not abs(self.camera_azimuth_deg) <= 180.0:
            raise ConfigError(f"camera_azimuth_deg = {self.camera_azimuth_deg} is outside -180..180")


@dataclass(frozen=True)
class CrispArmConfig(SimArmConfig):
    """Parameters of crisp_arm_node.

    ``lag_s`` and ``wrench_lag_s`` are the time constants of the filters of target and wrench; the clips are CRISP's.
    ``fail`` is a failure from the start, or later (``fail.after_s``).
    """

    rate_hz: float = 100.0
    lag_s: float = 0.05
    wrench_lag_s: float = 0.05
    error_clip_m: float = 0.01
    error_clip_rad: float = 0.08
    fail: Failure = field(default_factory=Failure)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lag_s", "wrench_lag_s"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} = {getattr(self, name)} is outside 0..1")
        if not (0.0 < self.error_clip_m <= 1.0 and 0.0 < self.error_clip_rad <= 1.5):
            raise ConfigError("the clips must be 0 < error_clip_m <= 1 and 0 < error_clip_rad <= 1.5")
