"""The parameters of controller_node: a preset of config/arms. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.errors import ConfigError, quoted
from wm_core.measured import MeasuredConfig

from .arms import ArmConfig
from .interface import ControllerConfig

#: Who may give plans. Each has topics of its own, ``<role>/plan`` and ``<role>/status``; the controller reads one pair.
ROLES = ("planner", "calibrate")


@dataclass(frozen=True)
class ControllerNodeConfig(ControllerConfig):
    """Parameters of controller_node: those of the core, and the arm's topics."""

    arm: ArmConfig = field(default_factory=ArmConfig)
    measured: MeasuredConfig = field(default_factory=MeasuredConfig)
    #: Whose plans are followed, one of ROLES.
    role: str = "planner"
    #: Process whose end or suspension stops the arm; 0: the one that started the node.
    launcher_pid: int = 0
    #: Whether that process also publishes ``launcher/heartbeat`` (std_msgs/Empty); silence stops the arm.
    launcher_heartbeat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role not in ROLES:
            raise ConfigError(f"role = {quoted(self.role)} must be one of {', '.join(ROLES)}")
        if self.launcher_pid < 0:
            raise ConfigError(f"launcher_pid = {self.launcher_pid} must be a process id, or 0 for the parent")
