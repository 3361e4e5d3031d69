"""What all nodes have in common that give plans: their topics, their sign of life, and the run that they plan for.

A role has ``<role>/plan`` and ``<role>/status`` to itself; the controller reads those of the role that the graph
declared, and nobody else's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from wm_core import topics
from wm_core.errors import ConfigError
from wm_core.reports import ControllerState, RoleStatus, parse
from wm_ros.clock import steady_s
from wm_ros.endpoints import publisher, subscribe
from wm_ros.node import WmNode, report_to_msg

from .runs import Runs

#: ``<role>/status`` is to come at least twice a second; the rest is for a busy machine.
STATUS_PERIOD_S = 0.25
#: ``controller/state`` is to come at least twice a second, too. The last one of a controller that was killed says
#: "running" for ever.
SILENT_S = 2.0


class Role:
    """See the module.

    Args:
        node: that gives the plans.
        name: of the role, one of ``wm_core.topics.ROLES``.
        changed: called after each ``controller/state``, and when none comes any more; its argument says whether a run
            begins that plans are due for.
        report: the status to publish when there was none for STATUS_PERIOD_S.

    Attributes:
        instance: of this process, 8 hex digits: by it others notice that the node was started anew.
        runs: for which run plans are due.
        unreadable: how many ``controller/state`` could not be read.
    """

    def __init__(
        self, node: WmNode[Any], name: str, changed: Callable[[bool], None], report: Callable[[], RoleStatus]
    ) -> None:
        self._node, self._changed, self._report = node, changed, report
        self.instance = secrets.token_hex(4)
        self.runs = Runs()
        self.unreadable = 0
        self._reported_s = self._heard_s = 0.0
        self._plans = publisher(node, topics.plan(name))
        self._status = publisher(node, topics.status(name))
        subscribe(node, topics.STATE, self._on_state)
        node.create_timer(STATUS_PERIOD_S / 2, self._keep_alive)

    @property
    def idle(self) -> str:
        """Why no plan is due, in one sentence; "" if one is."""
        runs = self.runs
        if runs.planning:
            return ""
        refused = runs.refused if runs.run == runs.current else ""
        return refused or f"the controller is {runs.mode or 'silent'}"

    def plan(self, msg: JointTrajectory) -> None:
        """Publish a plan."""
        self._plans.publish(msg)

    def say(self, status: RoleStatus) -> None:
        """Publish ``<role>/status``, with what this role knows: the process, and how its run goes."""
        run, done, reached = self.runs.run or "", self.runs.done, self.runs.reached
        status = replace(status, instance=self.instance, run=run, done=done, reached=reached)
        self._status.publish(report_to_msg(status))
        self._reported_s = steady_s()

    def _keep_alive(self) -> None:
        if self.runs.mode is not None and steady_s() - self._heard_s > SILENT_S:
            self._lost()
        if steady_s() - self._reported_s >= STATUS_PERIOD_S / 2:
            self.say(self._report())

    def _on_state(self, msg: String) -> None:
        try:
            state = parse(ControllerState, msg.data, "it")
        except ConfigError as error:
            self.unreadable += 1
            self._lost()
            return self._node.warn(f"controller/state cannot be read, so nothing is planned; {error}")
        self._heard_s = steady_s()
        self._changed(self.runs.hear(state.mode, state.run))

    def _lost(self) -> None:
        self.runs.lost()
        self._changed(False)
