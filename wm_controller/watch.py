"""What the controller watches besides poses and plans: contact force, joints, the robot's own mode, other nodes.

Each of them is watched once it has been heard, and from the start where the configuration requires it. What was heard
and falls silent holds the arm, as what is wrong does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from wm_core.robot_health import RobotHealth

from . import kinematics
from .inputs import numbers, stamp_fault
from .interface import ENCODER, NODES, PLANNER, ControllerConfig

#: What is heard of the arm besides its pose, as a person reads it when it is missing.
_NAMES = {"wrench": "wrench", "joints": "joint state", "robot": "robot state"}


def _at_least(components: Sequence[float]) -> float:
    """The least magnitude of a vector of which only some components are finite numbers."""
    return math.hypot(*(x for x in components if math.isfinite(x)))


class Watch:
    """See the module. ``fault`` sentences come back from the inputs, the reason to hold from :meth:`hold`.

    Attributes:
        force_n, torque_nm: of the newest wrench; None if there is none.
        robot: newest report of the robot; None if it makes none.
        margin_rad, condition: of the newest joints; None if there are none.
    """

    def __init__(self, config: ControllerConfig) -> None:
        self._config = config
        self.force_n: float | None = None
        self.torque_nm: float | None = None
        self.robot: RobotHealth | None = None
        self.margin_rad: float | None = None
        self.condition: float | None = None
        self._heard_s: dict[str, float] = {}
        self._wrong: dict[str, str] = {}

    def forget_stamps(self) -> None:
        """The stamps from before say nothing now: what was heard has to come again, and what is wrong stays wrong."""
        for name in _NAMES:
            if name in self._heard_s:
                self._heard_s[name] = -math.inf

    def on_wrench(self, stamp_s: float, wrench: ArrayLike, now_s: float, unless: str = "") -> str:
        """A measured wrench ``(6,)``, N and Nm. Returns why it was refused, or "".

        What is not usable is a fault of the driver, whether contact is looked at or not, until a good one comes. A
        report that is refused or overtaken may show contact, because there was some, but it cannot end one.

        ``unless``: why the caller refuses it, as a sentence.
        """
        values, fault = numbers(wrench, (6,), "the measured wrench")
        fault = unless or fault
        fault = fault or stamp_fault("the measured wrench", stamp_s, now_s, self._config.limits.state_timeout_s)
        force, torque = _at_least(values[:3]), _at_least(values[3:])
        if fault or self._overtaken("wrench", stamp_s):
            force, torque = max(force, self.force_n or 0.0), max(torque, self.torque_nm or 0.0)
        else:
            self._heard_s["wrench"] = stamp_s
        self.force_n, self.torque_nm = force, torque
        self._wrong["wrench"] = fault
        return fault

    def contact(self, limit: str) -> str:
        """Which contact is above its "hold" or "stop" limit, as a sentence; "" if none is."""
        c = self._config
        for what, value, most, unit in (
            ("force", self.force_n, getattr(c, f"force_{limit}_n"), "N"),
            ("torque", self.torque_nm, getattr(c, f"torque_{limit}_nm"), "Nm"),
        ):
            if value is not None and most is not None and value > most:
                return f"contact {what} {value:.0f} {unit} is above {most:.0f} {unit}"
        return ""

    def on_joints(self, stamp_s: float, joints_rad: ArrayLike, now_s: float) -> str:
        """Measured joint positions ``(7,)``, rad. Returns why they hold the arm, or ""."""
        if self._config.robot is None:
            return ""
        q, fault = numbers(joints_rad, (7,), "the joint state")
        fault = fault or stamp_fault("the joint state", stamp_s, now_s, self._config.limits.state_timeout_s)
        overtaken = not fault and self._overtaken("joints", stamp_s)
        if not fault and not overtaken:
            self._heard_s["joints"] = stamp_s
        if not fault:
            joint, self.margin_rad = kinematics.nearest_end(q, self._config.robot)
            self.condition = kinematics.condition(q)
            if not self.margin_rad >= self._config.joint_margin_rad:
                fault = f"joint {joint} is {self.margin_rad:.2f} rad from its end; move it away by hand"
            elif not self.condition <= self._config.max_condition:
                fault = f"the arm is near a singular posture (condition {self.condition:.0f}); move it away by hand"
        # What a newer report has overtaken may raise a fault, because it was so, but ends none.
        self._wrong["joints"] = fault or (self._wrong.get("joints", "") if overtaken else "")
        return self._wrong["joints"]

    def on_robot(self, health: RobotHealth, now_s: float) -> str:
        """A report of the robot. Returns why a person has to look at it, or "".

        An old report may raise an error, because it happened, but it can not clear one.
        """
        old = stamp_fault("the robot state", health.stamp_s, now_s, self._config.limits.state_timeout_s)
        if not old and self._overtaken("robot", health.stamp_s):
            old = "a robot state is older than the one before it; see who else sends it"
        self._wrong["robot"] = health.fault or (self.robot.fault if old and self.robot else "") or old or health.hold
        if health.fault or not old:
            self.robot = health
        if not old:
            self._heard_s["robot"] = health.stamp_s
        return health.fault

    def on_heartbeat(self, node: str, now_s: float) -> None:
        """A sign of life of who gives plans, or of the encoder, now."""
        if node in (self._config.role, ENCODER):
            self._heard_s[node] = now_s

    def hold(self, now_s: float) -> str:
        """The reason to hold, "" if there is none."""
        c = self._config
        for name in _NAMES:
            if (fault := self._wrong.get(name, "")) or (fault := self._missing(name, now_s)):
                return fault
        limits = (c.force_hold_n, c.force_stop_n, c.torque_hold_nm, c.torque_stop_nm)
        if self.force_n is None and any(limit is not None for limit in limits):
            return "a limit of force or torque is set, but the arm reports no wrench; start what reports it"
        if contact := self.contact("hold"):
            return contact
        for name in NODES:
            node = c.role if name == PLANNER else name
            heard_s = self._heard_s.get(node)
            if heard_s is None and name in c.require:
                return f"nothing was heard of the {node} yet; start it"
            if heard_s is not None and not now_s - heard_s <= c.heartbeat_s:
                return f"nothing was heard of the {node} for {now_s - heard_s:.1f} s; see whether it still runs"
        return ""

    def _overtaken(self, name: str, stamp_s: float) -> bool:
        """Whether a newer report of the same came before this one."""
        return stamp_s < self._heard_s.get(name, -math.inf)

    def _missing(self, name: str, now_s: float) -> str:
        heard_s = self._heard_s.get(name)
        if heard_s is None:
            return f"no {_NAMES[name]} yet; start what reports it" if name in self._config.require else ""
        if now_s - heard_s <= self._config.limits.state_timeout_s:
            return ""
        since = f"for {now_s - heard_s:.2f} s" if heard_s > -math.inf else "since the clock was set"
        return f"no {_NAMES[name]} {since}; see what reports it"
