"""What a node of ours survives, and how it ends: within one process, then as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import String

from wm_ros.node import MOST_BYTES, Signals, WmNode, json_to_msg, msg_to_json


@dataclass(frozen=True)
class Config:
    rate_hz: float = 50.0
    out: str = ""


@pytest.fixture
def node() -> Iterator[WmNode[Config]]:
    rclpy.init(args=["--ros-args", "-p", "rate_hz:=20.0"])
    made: WmNode[Config] = WmNode("tested", Config)
    yield made
    made.destroy_node()
    rclpy.shutdown()


def spin_until(node: WmNode[Config], done: Any) -> None:
    deadline = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < deadline
        rclpy.spin_once(node, timeout_sec=0.05)


# --- parameters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "parameter",
    [
        Parameter("rate_hz", value=10.0),
        Parameter("rate_hz", Parameter.Type.NOT_SET),
        Parameter("use_sim_time", value=True),
        Parameter("out", value="x"),
        Parameter("config", value="/tmp/other.yaml"),
        Parameter("start_type_description_service", value=False),
    ],
    ids=lambda p: f"{p.name}={p.value}",
)
def test_no_parameter_can_be_set_while_it_runs(node: WmNode[Config], parameter: Parameter) -> None:
    before = {name: p.value for name, p in node.get_parameters_by_prefix("").items()}
    client, atomically = (
        node.create_client(kind, f"/tested/{name}")
        for kind, name in ((SetParameters, "set_parameters"), (SetParametersAtomically, "set_parameters_atomically"))
    )
    assert client.wait_for_service(10.0) and atomically.wait_for_service(10.0)
    one = client.call_async(SetParameters.Request(parameters=[parameter.to_parameter_msg()]))
    all_ = atomically.call_async(SetParametersAtomically.Request(parameters=[parameter.to_parameter_msg()]))
    spin_until(node, lambda: one.done() and all_.done())
    for result in (one.result().results[0], all_.result().result):
        assert not result.successful
        if parameter.name in ("rate_hz", "out", "use_sim_time") and parameter.value is not None:
            assert result.reason.endswith(
                f"'{parameter.name}' cannot be changed while the node runs; change the configuration and start the "
                "node again"
            )
    assert {name: p.value for name, p in node.get_parameters_by_prefix("").items()} == before
    assert not node.get_clock().ros_time_is_active


# --- messages ---------------------------------------------------------------------------------------------------------
def test_a_bad_message_is_counted_and_survived(node: WmNode[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(node, "bad_message", lambda topic, sentence: said.append(f"{topic}: {sentence}"))
    node.create_subscription(String, "in", lambda msg: heard.append(msg_to_json(msg)["a"]), 10)
    out = node.create_publisher(String, "in", 10)
    bad = ["{", "[]", "{}", "[" * 10_000, "1e", '{"a": 1} x', "\0", "x" * (MOST_BYTES + 1)]
    for text in [*bad, '{"a": "well"}']:
        count = node.bad_messages["in"] + len(heard)
        out.publish(String(data=text))
        spin_until(node, lambda count=count: node.bad_messages["in"] + len(heard) > count)
    assert heard == ["well"] and node.bad_messages == {"in": len(bad)}
    assert all(s.startswith("in: a message on in cannot be used: ") and len(s) < 300 for s in said)
    assert "KeyError" in said[2] and f"more than {MOST_BYTES}" in said[-1]


def test_bytes_that_are_no_message(node: WmNode[Config]) -> None:
    heard: list[Image] = []
    node.create_subscription(Image, "in", heard.append, 10)
    out = node.create_publisher(Image, "in", 10)
    whole = Image(encoding="rgb8", data=b"abc")
    for data in (b"\0\1\0\0", b"\0\1\0\0" + b"\xff" * 60, whole):
        count = node.bad_messages["in"] + len(heard)
        out.publish(data)
        spin_until(node, lambda count=count: node.bad_messages["in"] + len(heard) > count)
    assert bytes(heard[-1].data) == b"abc"


def test_reports_hold_no_number_that_is_none() -> None:
    values = {"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": float("-inf"), "e": "x"}, "f": None}
    said = json_to_msg(values)
    assert "NaN" not in said.data and "Infinity" not in said.data
    assert msg_to_json(said) == {"a": None, "b": [1.0, None], "c": {"d": None, "e": "x"}, "f": None}


def test_each_kind_of_sentence_is_said_once_in_a_while(node: WmNode[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    now = [1000.0]
    monkeypatch.setattr(time, "clock_gettime", lambda _: now[0])
    monkeypatch.setattr(node.get_logger(), "warning", said.append)
    for k in range(50):
        node.warn(f"a plan is 0.{k} s old")
        node.warn("no gripper")
    now[0] += 2.1
    node.warn("a plan is 9 s old")
    assert said == ["a plan is 0.0 s old", "no gripper", "a plan is 9 s old"]


def test_timers_count_steady_time(node: WmNode[Config]) -> None:
    timer = node.create_timer(0.5, lambda: None)
    assert timer.clock.clock_type == ClockType.STEADY_TIME


# --- processes --------------------------------------------------------------------------------------------------------
NODE = """
import sys, time
from dataclasses import dataclass
from std_msgs.msg import String
from wm_core.errors import WmError
from wm_ros.node import WmNode, run_node

@dataclass(frozen=True)
class Config:
    out: str = ""
    fails: str = ""
    kind: str = ""
    rates: tuple[float, ...] = ()

class Ending(WmNode[Config]):
    def __init__(self):
        super().__init__("ending", Config)
        self.say = self.create_publisher(String, "said", 1)
        if self.config.fails == "making":
            raise RuntimeError("made badly")
        if self.config.fails == "import":
            print("made", flush=True)
            try:
                time.sleep(60.0)
            except KeyboardInterrupt:
                raise {"WmError": WmError, "ImportError": ImportError}[self.config.kind]("a library cannot be loaded")
        if self.config.fails == "slow":
            print("made", flush=True)
            time.sleep(60.0)
        self.ticks = 0
        self.create_timer(0.01, self.tick)

    def tick(self):
        self.ticks += 1
        if self.ticks == 1:
            print("made", flush=True)
        if self.config.fails == "tick":
            raise RuntimeError("ticked badly")
        if self.config.fails == "hangs":
            time.sleep(60.0)

    def suspended(self):
        print("suspended", flush=True)

    def close(self):
        self.say.publish(String(data="still here"))
        print("closed", self.context.ok(), flush=True)

sys.exit(run_node(Ending))
"""


class Process:
    def __init__(self, tmp_path: Path, *parameters: str, before: tuple[str, ...] = ()) -> None:
        file = tmp_path / "ending.py"
        file.write_text(NODE)
        words = [word for p in parameters for word in ("-p", p)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.child = subprocess.Popen(
            [*before, sys.executable, str(file), "--ros-args", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # whatever these tests were started by
        )  # fmt: skip

    def line(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def end(self) -> tuple[int, str, str]:
        out, error = self.child.communicate(timeout=30.0)
        return self.child.returncode, out, error


ENDING = (
    "INT",
    "TERM",
    "HUP",
    "QUIT",
    "USR1",
    "USR2",
    "ALRM",
    "XCPU",
    "VTALRM",
    "PROF",
    "IO",
    "PWR",
    "STKFLT",
    "RTMAX",
)


@pytest.mark.parametrize("kind", ["WmError", "ImportError"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_loads_it_blames_nothing(tmp_path: Path, number: signal.Signals, kind: str) -> None:
    process = Process(tmp_path, "fails:=import", f"kind:={kind}")
    assert process.line() == "made"
    process.child.send_signal(number)
    assert process.end() == (0, "", "")


@pytest.mark.parametrize("number", [getattr(signal, f"SIG{name}") for name in ENDING])
def test_it_closes_while_it_can_speak(tmp_path: Path, number: signal.Signals) -> None:
    process = Process(tmp_path)
    assert process.line() == "made"
    process.child.send_signal(number)
    process.child.send_signal(number)
    status, out, error = process.end()
    assert (status, out) == (0, "closed True\n") and "Traceback" not in error


def test_an_exception_in_a_callback_closes_it_and_keeps_its_traceback(tmp_path: Path) -> None:
    status, out, error = Process(tmp_path, "fails:=tick").end()
    assert status == 1 and "closed True" in out and "RuntimeError: ticked badly" in error


def test_one_while_it_is_made_keeps_its_traceback_too(tmp_path: Path) -> None:
    status, out, error = Process(tmp_path, "fails:=making").end()
    assert status == 1 and out == "" and "RuntimeError: made badly" in error


def test_making_it_can_be_interrupted(tmp_path: Path) -> None:
    process = Process(tmp_path, "fails:=slow")
    assert process.line() == "made"
    process.child.send_signal(signal.SIGTERM)
    assert process.end()[0] == 0


def test_who_insists_interrupts_a_callback_that_hangs(tmp_path: Path) -> None:
    process = Process(tmp_path, "fails:=hangs")
    assert process.line() == "made"
    process.child.send_signal(signal.SIGTERM)
    time.sleep(1.3)
    process.child.send_signal(signal.SIGTERM)
    status, out, _ = process.end()
    assert status == 0 and "closed True" in out


def test_each_signal_is_either_handled_or_left_alone() -> None:
    """Whoever sends it: what is not handled either does nothing by itself, or is a fault of the process."""
    handled = {*Signals.ENDING, *Signals.SUSPENDING}
    assert handled.isdisjoint(Signals.ALONE) and handled | {*Signals.ALONE} == signal.valid_signals()


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU])
def test_it_is_told_before_it_is_suspended(tmp_path: Path, number: signal.Signals) -> None:
    process = Process(tmp_path)
    assert process.line() == "made"
    time.sleep(0.3)
    process.child.send_signal(number)
    assert process.line() == "suspended"
    stat = Path(f"/proc/{process.child.pid}/stat")
    deadline = time.monotonic() + 10.0
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.child.send_signal(signal.SIGCONT)
    process.child.send_signal(signal.SIGTERM)
    assert process.end()[:2] == (0, "closed True\n")


def test_a_handler_that_is_there_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    others = {signal.SIGUSR1: print, signal.SIGALRM: signal.SIG_IGN, signal.SIGPROF: None, signal.SIGTERM: print}
    monkeypatch.setattr(signal, "getsignal", lambda number: others.get(number, signal.SIG_DFL))
    monkeypatch.setattr(signal, "signal", lambda number, _: taken.append(number))
    Signals()
    assert set(Signals.ENDING) - set(taken) == {signal.SIGUSR1, signal.SIGALRM, signal.SIGPROF}


def test_nohup_is_respected(tmp_path: Path) -> None:
    process = Process(tmp_path, before=("nohup",))
    assert process.line() == "made"
    process.child.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.child.poll() is None
    process.child.terminate()
    assert process.end()[0] == 0


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("rates:=[0, 0, 0.1034]", "rates:=[0, 0, 0.1034]"),
        ("fails:={", "fails:={"),
        ("fail:=x", "unknown key 'fail'; did you mean 'fails'?"),
        ("use_sim_time:=maybe", "'use_sim_time' to 'maybe' of type 'STRING', expecting type 'BOOL'"),
        ("config:=/nowhere.yaml", "cannot read /nowhere.yaml"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, parameter: str, says: str) -> None:
    status, _, error = Process(tmp_path, parameter).end()
    said = [line for line in error.splitlines() if line.startswith("ending: ")]
    assert status == 2 and len(said) == 1 and says in said[0] and "Traceback" not in error
    if "0.1034" in parameter:
        assert said[0].endswith("ROS wants the numbers of a list alike: write 0.0 in place of 0")
