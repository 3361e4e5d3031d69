"""clock_node: publishes ``/clock`` as the machine's own, and breaks it when it is told to.

``fault`` is "stop" (it stands still), "back" or "forward" (it jumps by 10 s). ``fault/inject`` and ``fault/heal``
(std_srvs/Trigger) begin and end it; both answer with the machine's time in seconds.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from wm_core.errors import ConfigError
from wm_core.reports import Health
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics
from wm_ros.node import WmNode
from wm_ros.run import run_node

PERIOD_S = 0.01
JUMPS_S = {"back": -10.0, "forward": 10.0}
STOP = "stop"


@dataclass(frozen=True)
class ClockConfig:
    """Parameters of clock_node: how the clock breaks."""

    fault: str = STOP

    def __post_init__(self) -> None:
        if self.fault != STOP and self.fault not in JUMPS_S:
            raise ConfigError(f"'{self.fault}' is not one of {', '.join([STOP, *JUMPS_S])}")


class ClockNode(WmNode[ClockConfig]):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("clock", ClockConfig)
        self._broken = False
        self._out = self.create_publisher(Clock, "/clock", qos.COMMAND)
        self.create_service(Trigger, "fault/inject", lambda _, response: self._turn(True, response))
        self.create_service(Trigger, "fault/heal", lambda _, response: self._turn(False, response))
        self.create_timer(PERIOD_S, self._tick)
        Diagnostics(self, lambda: Health(True))

    def _turn(self, broken: bool, response: Trigger.Response) -> Trigger.Response:
        self._broken = broken
        response.success, response.message = True, str(time.time())
        return response

    def _tick(self) -> None:
        if self._broken and self.config.fault == STOP:
            return
        jump_s = JUMPS_S[self.config.fault] if self._broken else 0.0
        self._out.publish(Clock(clock=convert.s_to_stamp(time.time() + jump_s)))


def main() -> None:
    sys.exit(run_node(ClockNode))


if __name__ == "__main__":
    main()
