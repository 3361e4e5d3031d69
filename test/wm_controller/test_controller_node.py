"""The node around the core: what it puts down, watches and says. Messages are real; the transport is left out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from wm_controller.controller_node import ControllerNode
from wm_core.errors import ConfigError
from wm_ros import convert, qos
from wm_ros.measured_arm import Measured

POSE = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])


#: A namespace for each node: of one that was destroyed, discovery may still tell for a while.
_numbers = itertools.count()


@pytest.fixture
def context() -> Iterator[None]:
    yield
    rclpy.try_shutdown()


def make(*parameters: str) -> ControllerNode:
    settings = [word for p in parameters for word in ("-p", p)]
    rclpy.init(args=["--ros-args", "-r", f"__ns:=/cell{next(_numbers)}", *settings])
    return ControllerNode()


class Rig:
    def __init__(self, *parameters: str) -> None:
        self.node = make(*parameters)
        self.said: list[dict] = []
        self.node._state.publish = lambda msg: self.said.append(json.loads(msg.data))  # type: ignore[method-assign]
        self.sent: list[np.ndarray] = []
        self.node._arm.send_pose = lambda pose, *_: self.sent.append(np.array(pose))  # type: ignore[method-assign]

    def state(self) -> None:
        self.node._on_state(Measured(self.node.now_s(), POSE, 0.0, None))

    def plan(self, x: float = 0.01) -> None:
        deltas = np.zeros((1, 7))
        deltas[0, 0] = x
        self.node._on_plan(convert.plan_to_msg(deltas, 0.25, self.node.get_clock().now().to_msg(), "base"))

    def start(self) -> None:
        self.state()
        answer = self.node._on_start(Trigger.Request(), Trigger.Response())
        assert answer.success, answer.message


def test_a_flood_of_plans_costs_one_per_tick(context: None) -> None:
    rig = Rig()
    rig.start()
    for _ in range(50):
        rig.plan()
    rig.state()
    rig.node._tick()
    status = rig.node._controller.status(rig.node._steady_s())
    assert (status.plans, status.refused_plans) == (1, 0)
    values = rig.node._health().values
    assert values["overtaken_plans"] == 49
    assert rig.said[-1]["mode"] == "running"


def test_a_plan_that_is_none_holds_with_its_sentence(context: None) -> None:
    rig = Rig()
    rig.start()
    rig.plan(float("nan"))
    rig.state()
    rig.node._tick()
    assert rig.node._command.mode == "holding"
    assert rig.node._controller.status(rig.node._steady_s()).reason == "a plan holds a number that is not finite"


def test_heartbeats_of_this_stack_only(context: None) -> None:
    rig = Rig("heartbeat_s:=0.001")
    rig.start()
    others = DiagnosticArray(status=[DiagnosticStatus(name="other/encoder"), DiagnosticStatus(name="encoder")])
    rig.node._on_diagnostics(others)
    assert rig.node._controller._watch.hold(rig.node._steady_s() + 1.0) == ""
    ours = rig.node.get_namespace().strip("/")
    rig.node._on_diagnostics(DiagnosticArray(status=[DiagnosticStatus(name=f"{ours}/encoder")]))
    held = rig.node._controller._watch.hold(rig.node._steady_s() + 1.0)
    assert held == "nothing was heard of the encoder for 1.0 s"


def test_joints_hold_where_the_robot_is_named(context: None) -> None:
    rig = Rig("robot:=fr3")
    rig.start()
    msg = JointState(name=[f"fr3_joint{k}" for k in range(1, 8)], position=[0.0, 0.2, 0.0, -3.0, 0.0, 2.6, 0.8])
    msg.header.stamp = rig.node.get_clock().now().to_msg()
    rig.node._on_joints(msg)
    rig.state()
    rig.node._tick()
    assert "joint 4 is 0.04 rad from its end" in rig.node._controller.status(rig.node._steady_s()).reason


def test_stop_and_fault_stop_the_arm_once(context: None) -> None:
    rig = Rig()
    stops: list[str] = []
    rig.node._arm.stop = lambda: stops.append("stop")  # type: ignore[method-assign]
    rig.start()
    assert rig.node._on_stop(Trigger.Request(), Trigger.Response()).success
    rig.node._tick()
    assert stops == ["stop"] and rig.said[-1]["mode"] == "stopped"


def test_a_second_publisher_keeps_it_from_starting_and_stops_it_later(context: None) -> None:
    rig = Rig()
    other = rclpy.create_node("rival")
    other.create_publisher(PoseStamped, "arm/target_pose", qos.COMMAND)
    for _ in range(100):
        if rig.node._voices.rival(at_once=True):
            break
        rclpy.spin_once(other, timeout_sec=0.05)
    answer = rig.node._on_start(Trigger.Request(), Trigger.Response())
    assert not answer.success and "rival' also publishes" in answer.message
    rig.node._health()
    rig.node._tick()
    assert rig.said[-1]["mode"] == "stopped" and "rival' also publishes" in rig.said[-1]["reason"]


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("limits.speed_m_s:=0.3", "can only tighten"),
        ("limits.jerk_m_s3:=41.0", "can only tighten"),
        ("joint_margin_rad:=0.05", "joint_margin_rad"),
        ("heartbeat_s:=10.0", "heartbeat_s"),
    ],
)
def test_a_preset_that_loosens_is_refused_at_start(context: None, parameter: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make(parameter)


def test_a_required_robot_state_without_its_messages_is_refused(context: None) -> None:
    try:
        import franka_msgs  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match="franka_ros2"):
            make("robot:=fr3", "require:=[robot]")
