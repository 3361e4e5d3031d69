"""The parameters of controller_node: a preset of config/arms. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.measured import MeasuredConfig

from .arms import ArmConfig
from .interface import ControllerConfig


@dataclass(frozen=True)
class ControllerNodeConfig(ControllerConfig):
    """Parameters of controller_node: those of the core, and the arm's topics."""

    arm: ArmConfig = field(default_factory=ArmConfig)
    measured: MeasuredConfig = field(default_factory=MeasuredConfig)
