"""The parameters of controller_node: a preset of config/arms. Read where there is no ROS as well."""

from __future__ import annotations

from dataclasses import dataclass, field

from wm_core.errors import ConfigError, quoted
from wm_core.measured import MeasuredConfig
from wm_core.topics import STATE

from .arms import ARMS, ArmConfig
from .interface import ControllerConfig


@dataclass(frozen=True)
class ControllerNodeConfig(ControllerConfig):
    """Parameters of controller_node: those of the core, and the arm's topics."""

    arm: ArmConfig = field(default_factory=lambda: ARMS.load("pose_stream")())
    measured: MeasuredConfig = field(default_factory=MeasuredConfig)
    #: Process whose end or suspension stops the arm; 0: the one that started the node.
    launcher_pid: int = 0
    #: Whether that process also publishes ``launcher/heartbeat`` (std_msgs/Empty); silence stops the arm.
    launcher_heartbeat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.launcher_pid < 0:
            raise ConfigError(f"launcher_pid = {self.launcher_pid} must be a process id, or 0 for the parent")
        self._check_topics()

    def _check_topics(self) -> None:
        """What is sent to the arm has a topic that nobody else speaks on, this node in another voice included."""
        topics = {STATE.name: "the controller itself"}
        for name in ("pose", "wrench", "gripper", "joints", "robot"):
            topics[getattr(self.measured, f"{name}_topic").removeprefix("/")] = f"measured.{name}_topic"
        for key, topic in self.arm.outputs().items():
            if other := topics.get(topic.removeprefix("/")):
                raise ConfigError(
                    f"arm.{key} = {quoted(topic)} is also the topic of {other}; give each a topic of its own"
                )
            topics[topic.removeprefix("/")] = f"arm.{key}"
