"""What the controller tells its operator before anything moves: once what it runs on, and when a start would do.

Names of topics and services are those after every remapping, so that what moved one of them shows here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from std_srvs.srv import Trigger

from wm_core.reports import kind_of
from wm_ros import params
from wm_ros.node import SETTLE_S, WmNode

from .node_config import ControllerNodeConfig

#: Topics that every node has, and that say nothing of this one.
_OF_EVERY_NODE = re.compile("/(rosout|parameter_events|diagnostics|clock)")


def briefing(node: WmNode[ControllerNodeConfig], launcher_pid: int) -> str:
    """What an operator checks before the first motion, a line for each kind. ``launcher_pid`` is watched."""
    c, m = node.config, node.config.limits
    box = ", ".join(
        f"{axis} {low:g} to {high:g}" for axis, low, high in zip("xyz", m.box_min_m, m.box_max_m, strict=True)
    )
    services = (f"{service.service_name}" for service in node.services if service.srv_type is Trigger)
    joints = "not watched" if c.robot is None else f"of a {c.robot}, {c.joint_margin_rad:g} rad off their ends"
    heartbeat = ", and its heartbeat" if c.launcher_heartbeat else ""
    return "\n  ".join(
        (
            "before anything moves, check:",
            f"configuration: {'; above it '.join(params.sources(node)) or 'the defaults of the code'}",
            f"arm: {c.arm.summary()}",
            f"box for the TCP in '{c.base_frame}', m: {box}",
            f"at most: {m.speed_m_s:g} m/s, {m.rot_speed_rad_s:g} rad/s, {m.step_m:g} m and {m.step_rad:g} rad a step, "
            f"{m.tilt_rad:g} rad from straight down",
            f"contact: {_contact(c)}",
            f"joints: {joints}",
            f"moves only while it hears of: {', '.join(dict.fromkeys(('pose', 'gripper', *c.require)))}",
            f"follows the plans of: {c.role}",
            f"publishes: {_names(publisher.topic_name for publisher in node.publishers)}",
            f"listens to: {_names(subscription.topic_name for subscription in node.subscriptions)}",
            f"answers: {_names(services)}",
            f"stops if this process ends or is suspended: {launcher_pid} ({_command(launcher_pid)}){heartbeat}",
        )
    )


def _contact(c: ControllerNodeConfig) -> str:
    limits = {
        "holds": ((c.force_hold_n, "N"), (c.torque_hold_nm, "Nm")),
        "stops": ((c.force_stop_n, "N"), (c.torque_stop_nm, "Nm")),
    }
    said = [
        f"{what} above {' or '.join(f'{most:g} {unit}' for most, unit in pairs if most is not None)}"
        for what, pairs in limits.items()
        if any(most is not None for most, _ in pairs)
    ]
    return "; ".join(said) or "not looked at"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted({name for name in names if not _OF_EVERY_NODE.fullmatch(name)}))


def _command(pid: int) -> str:
    """How the process was called, as far as it can be seen."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "not to be seen from here"
    return " ".join(filter(None, words))[:80] or "no command line"


class Readiness:
    """Says once that a start would do, and again after it would not; and what is missing if that takes long."""

    def __init__(self, start: str) -> None:
        self._start = start  # name of the service
        self._ready = False
        self._missed_s: float | None = None  # since when something is missing
        self._said = ""

    def say(self, now_s: float, idle: bool, missing: str) -> str:
        """What is to be said now, "" for nothing.

        Args:
            idle: whether the controller waits for a start.
            missing: why a start would not do, as a sentence; "" if it would.
        """
        if not idle:
            self._ready, self._missed_s, self._said = False, None, ""
            return ""
        if not missing:
            said, self._missed_s, self._said = not self._ready, None, ""
            self._ready = True
            return f"ready: call {self._start} to begin" if said else ""
        self._ready = False
        if self._missed_s is None:
            self._missed_s = now_s
        kind = kind_of(missing)
        if now_s - self._missed_s < SETTLE_S or kind == self._said:
            return ""
        self._said = kind
        return f"not ready to start: {missing}"
