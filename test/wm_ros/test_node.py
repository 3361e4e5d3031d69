"""What a node of ours survives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import rclpy
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.clock_type import ClockType
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import String

from wm_core.reports import parse
from wm_ros.node import MOST_BYTES, SETTLE_S, WmNode


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


@dataclass(frozen=True)
class Said:
    a: str


# --- messages ---------------------------------------------------------------------------------------------------------
def test_a_bad_message_is_counted_and_survived(node: WmNode[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(node, "bad_message", lambda topic, sentence: said.append(f"{topic}: {sentence}"))
    node.create_subscription(String, "in", lambda msg: heard.append(parse(Said, msg.data).a), 10)
    out = node.create_publisher(String, "in", 10)
    bad = ["{", "[]", "{}", "[" * 10_000, "1e", '{"a": 1} x', "\0", "x" * (MOST_BYTES + 1)]
    for text in [*bad, '{"a": "well"}']:
        count = node.bad_messages["in"] + len(heard)
        out.publish(String(data=text))
        spin_until(node, lambda count=count: node.bad_messages["in"] + len(heard) > count)
    assert heard == ["well"] and node.bad_messages == {"in": len(bad)}
    assert all(s.startswith("in: a message on in cannot be used: ") and len(s) < 300 for s in said)
    assert "lacks the key 'a'" in said[2] and f"more than {MOST_BYTES}" in said[-1]


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


def test_of_what_is_not_there_yet_nothing_is_said_at_once(
    node: WmNode[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    now = [node._began_s + SETTLE_S - 0.1]
    monkeypatch.setattr(time, "clock_gettime", lambda _: now[0])
    monkeypatch.setattr(node.get_logger(), "warning", said.append)
    node.warn("nothing was heard of the gripper yet; start it")
    node.warn("the gripper reads nan")
    assert said == ["the gripper reads nan"]
    now[0] += 0.2
    node.warn("nothing was heard of the gripper yet; start it")
    assert said[1:] == ["nothing was heard of the gripper yet; start it"]


def test_timers_count_steady_time(node: WmNode[Config]) -> None:
    timer = node.create_timer(0.5, lambda: None)
    assert timer.clock.clock_type == ClockType.STEADY_TIME
