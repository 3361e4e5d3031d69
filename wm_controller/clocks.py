"""The two clocks of the controller node: the steady one that it lives by, and ROS's, in which stamps are given."""

from __future__ import annotations

import math
from typing import Any

from wm_ros.clock import steady_s
from wm_ros.node import WmNode

from .controller import Controller
from .inputs import STAMP_BLUR_S, StampClock

#: Two clocks read within this time of each other were read together: half of what stamps are told apart by. A reading
#: takes some microseconds.
CLOCKS_APART_S = STAMP_BLUR_S / 2


class Clocks:
    """Reads both clocks of ``node`` together, and tells ``controller`` when ROS's was set or stands still."""

    def __init__(self, node: WmNode[Any], controller: Controller) -> None:
        self._node, self._controller = node, controller
        # rclpy's own hints do not know that the clock of a node is a ROSClock.
        self._stamps = StampClock(simulated=getattr(node.get_clock(), "ros_time_is_active", False))
        self._set = False  # since the last tick

    def tick_s(self) -> float:
        """The time of a tick, s: it sees a fault that was found since the last one, and the next tick finds it over."""
        now_s = self.steady_s()
        if not self._set:
            self._controller.trouble("clock", "")
        self._set = False
        return now_s

    def steady_s(self) -> float:
        """The steady time, s; at the same moment the ROS clock is looked at."""
        apart_s = math.inf
        for _ in range(5):  # the process may be interrupted between any two lines
            begin_s, read_s, end_s = steady_s(), self._node.now_s(), steady_s()
            if end_s - begin_s < apart_s:
                apart_s, before_s, ros_s = end_s - begin_s, begin_s, read_s
            if apart_s < CLOCKS_APART_S:
                break
        if fault := self._stamps.observe(ros_s, before_s):
            self._set = True
            self._controller.trouble("clock", fault)
        return before_s

    def to_steady(self, stamp_s: float) -> float:
        """A stamp on the steady clock, s."""
        return self._stamps.to_steady(stamp_s)

    def to_ros(self, steady_s: float) -> float:
        """A steady time as a stamp, s."""
        return self._stamps.to_ros(steady_s)
