"""Faults of those who call: a client that repeats itself, and one that sets parameters while the arm moves."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from wm_core.errors import WmError

from .inject import HEARS_SIGINT, Injection, Site

CALLS_WITHIN_S = 20.0

#: Calls a Trigger service 20 times a second, whatever the answers are.
_SPAM = """
import sys, time
import rclpy
from std_srvs.srv import Trigger
rclpy.init()
node = rclpy.create_node("spam")
client = node.create_client(Trigger, sys.argv[1])
client.wait_for_service(20.0)
print("calling", flush=True)
while True:
    client.call_async(Trigger.Request())
    rclpy.spin_once(node, timeout_sec=0.0)
    time.sleep(0.05)
"""

#: Tries to loosen what guards the arm, and reports what was taken.
_SET = """
import tempfile

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
rclpy.init()
node = rclpy.create_node("setter")
client = node.create_client(SetParameters, "controller/set_parameters")
client.wait_for_service(20.0)
file = tempfile.NamedTemporaryFile(suffix=".yaml")  # it could be read
wanted = {"limits.speed_m_s": 5.0, "force_stop_n": 1e9, "config": file.name, "use_sim_time": True, "own": 1}
for name, value in wanted.items():
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    answer = client.call_async(request)
    rclpy.spin_until_future_complete(node, answer, timeout_sec=5.0)
    if answer.result() is None or answer.result().results[0].successful:
        print(f"taken: {name}", flush=True)
print("asked", flush=True)
"""


@dataclass(frozen=True)
class Spam(Injection):
    """A client calls ``service`` 20 times a second. With ``stop``, a person calls stop once in the middle of it."""

    service: str
    stop: bool = False

    def begin(self, site: Site) -> float:
        _start(site, _SPAM, self.service)
        if not site.wait(lambda: "calling" in _said(site), CALLS_WITHIN_S):
            raise WmError(f"the client that repeats '{self.service}' did not start")
        now_s = time.time()
        if self.stop:
            site.call("stop")
        return now_s


@dataclass(frozen=True)
class SetParameters(Injection):
    """Parameters of the controller are set while it runs; each must be refused."""

    def begin(self, site: Site) -> float:
        now_s = time.time()
        _start(site, _SET)
        return now_s

    def over(self, site: Site) -> bool:
        return "asked" in _said(site)

    def complaint(self, site: Site) -> str:
        said = _said(site)
        taken = [line for line in said.splitlines() if line.startswith("taken")]
        return "; ".join(taken) if taken else "" if "asked" in said else "the parameters were not set in time"


def _start(site: Site, program: str, *words: str) -> None:
    site.others.start("caller", [sys.executable, "-c", HEARS_SIGINT + program, *words])


def _said(site: Site) -> str:
    return (site.folder / "caller.log").read_text(encoding="utf-8", errors="replace")
