"""The nodes and processes that the controller depends on: who they are, whether they live, and who else speaks.

Whoever gives plans (the role) and the encoder report ``<name>/status`` (String, JSON). That is a sign of life, and is
believed, only while the topic has one publisher: the node that the graph declared. A run belongs to the processes that
it began with: one that was started anew knows nothing of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial

from std_msgs.msg import Empty, String

from wm_core.errors import quoted
from wm_core.reports import ACTING, RoleStatus, parse
from wm_core.topics import HEARTBEAT, OPERATOR, plan, status
from wm_ros import qos
from wm_ros.clock import steady_s
from wm_ros.endpoints import subscribe
from wm_ros.node import WmNode
from wm_ros.numbers import Numbers
from wm_ros.voices import LOOK_PERIOD_S, Voices

from .controller import Controller
from .interface import ENCODER
from .launcher import HEARTBEAT_S, Launcher
from .node_config import ControllerNodeConfig


class Peers:
    """Watches them for ``node``, and tells ``controller``.

    Args:
        outputs: the topics that only ``node`` may publish.
        steady_s: the time, s.

    Attributes:
        launcher: the process that started the stack.
    """

    def __init__(
        self,
        node: WmNode[ControllerNodeConfig],
        controller: Controller,
        outputs: Iterable[str],
        steady_s: Callable[[], float],
    ) -> None:
        self._node, self._controller, self._steady_s = node, controller, steady_s
        c = node.config
        self._role, self._plans = c.role, plan(c.role).name
        self.launcher = Launcher(c.launcher_pid)
        if blind := self.launcher.blind():
            node.get_logger().warning(blind)
        self._instances: dict[str, str] = {}  # by node: which process reports
        self._of_run: dict[str, str] = {}  # those of the run
        self._beat_s = -math.inf  # of the launcher; the steady time when it was last heard
        self._numbers: defaultdict[str, Numbers] = defaultdict(Numbers)  # by topic
        self._voices = voices = Voices(node)
        for topic in outputs:
            voices.watch(topic, own=True)
        for service in OPERATOR:
            voices.watch_service(service)
        voices.watch(self._plans, c.role)
        m = c.measured
        of_robot = () if c.robot is None else (m.joints_topic, m.robot_topic)
        for topic in (m.pose_topic, m.gripper_topic, m.wrench_topic, *of_robot):
            voices.watch(topic, shared=topic in m.shared_topics)
        for name in (c.role, ENCODER):
            voices.watch(status(name).name, name)
            # What was said before this node came is no sign of life.
            subscribe(node, status(name), partial(self._on_status, name), qos.COMMAND, numbered=True)
        if c.launcher_heartbeat:
            voices.watch(HEARTBEAT.name)
            subscribe(node, HEARTBEAT, self._on_heartbeat)
        node.create_timer(LOOK_PERIOD_S, self.look)

    def begin(self) -> None:
        """A run has been started: it belongs to who is there now."""
        self._of_run = dict(self._instances)

    def trouble(self) -> str:
        """Who else speaks at this moment, on an output or an input, as a sentence; "" if nobody does."""
        return self._voices.rival(at_once=True) or self._voices.trouble()

    def plan_troubles(self, numbers: list[int | None]) -> list[str]:
        """Why each of the plans that are here now may not be believed, as a sentence; "" if it may.

        ``numbers``: those that their publishers gave them.
        """
        trouble = self._voices.trouble(at_once=True)
        if not trouble and not self._voices.sole(self._plans):
            trouble = self._voices.trouble() or f"it is not known yet who publishes {self._plans}"
        if trouble:
            return [trouble for _ in numbers]
        publisher = self._voices.identity(self._plans)
        gone = f"it came from a publisher of {self._plans} that has already gone; find out what else plans"
        return [gone if self._numbers[self._plans].strange(number, publisher) else "" for number in numbers]

    def look(self) -> None:
        """To be called 10 times a second: who else speaks, and whether somebody looks after the arm."""
        now_s, c = self._steady_s(), self._controller
        rival = self._voices.rival()
        if rival and c.status(now_s).mode in ACTING:
            c.stop(now_s, rival)  # at once: who knows whether the arm still hears where it is to brake
        self._tell("rival", rival, latch=True)
        self._tell("voices", self._voices.trouble())
        self._tell("launcher", self.launcher.trouble() or self._silence(), latch=True)

    def _tell(self, source: str, sentence: str, latch: bool = False) -> None:
        self._controller.trouble(source, sentence, latch)
        if sentence:
            self._node.warn(sentence)

    def _on_heartbeat(self, _: Empty) -> None:
        self._beat_s = steady_s()

    def _silence(self) -> str:
        silent_s = steady_s() - self._beat_s
        if not self._node.config.launcher_heartbeat or silent_s <= HEARTBEAT_S:
            return ""
        since = "yet" if math.isinf(silent_s) else f"for {silent_s:.1f} s"
        return f"nothing was heard on {HEARTBEAT.name} {since}: who started the stack hangs; start it again"

    def _on_status(self, name: str, msg: String, number: int | None) -> None:
        said, topic = parse(RoleStatus, msg.data), status(name).name
        if self._voices.trouble(at_once=True) or not self._voices.sole(topic):
            return
        if self._numbers[topic].strange(number, self._voices.identity(topic)):
            return self._node.warn(f"a message on {topic} was ignored: it came from a publisher that has already gone")
        self._controller.on_heartbeat(name, self._steady_s())
        self._instances[name] = instance = said.instance
        if instance != self._of_run.setdefault(name, instance):
            self._controller.end_run(f"the {name} was started anew")
        if name == self._role and said.done and said.run == self._controller.run:
            why = quoted(said.reason, 120)[1:-1]
            how = "is done" if said.reached else "has ended the run"
            self._controller.end_run(f"the {name} {how}" + (f": {why}" if why else ""))
