from __future__ import annotations

import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402

from wm_controller.arms import ArmConfig, make_arm  # noqa: E402
from wm_controller.arms.topics import UNKNOWN, rivals  # noqa: E402
from wm_ros import qos  # noqa: E402


def test_a_rival_is_named_and_forgotten_when_it_is_gone(graph) -> None:
    arm = make_arm(graph.node("controller"), "base", ArmConfig(pose_topic="target_pose"))
    graph.spin(0.2)
    assert arm.rival() == ""
    other = graph.node("teleop", namespace="/desk")
    other.create_publisher(PoseStamped, "/target_pose", qos.COMMAND)
    graph.spin_until(lambda: arm.rival() == "the node 'desk/teleop' also publishes /target_pose; end it", arm.rival())
    graph.destroy(other)
    graph.spin_until(lambda: arm.rival() == "", arm.rival())


def test_a_second_one_by_our_own_name_is_a_rival(graph) -> None:
    arm = make_arm(graph.node("controller"), "base", ArmConfig())
    graph.node("controller").create_publisher(PoseStamped, "arm/target_pose", qos.COMMAND)
    graph.spin_until(lambda: "the node 'controller' also publishes" in arm.rival(), arm.rival())


def test_the_name_after_a_remapping_counts(graph) -> None:
    """rclpy's count_publishers does not follow remappings; whoever asks it by the name in the code sees nobody."""
    node = graph.node("controller", cli_args=["--ros-args", "-r", "arm/target_pose:=real/target_pose"])
    arm = make_arm(node, "base", ArmConfig())
    graph.node("teleop").create_publisher(PoseStamped, "real/target_pose", qos.COMMAND)
    graph.spin_until(lambda: "'teleop' also publishes /real/target_pose" in arm.rival(), arm.rival())


def test_the_gripper_has_one_commander_too(graph) -> None:
    from std_msgs.msg import Float64MultiArray

    arm = make_arm(graph.node("controller"), "base", ArmConfig())
    graph.node("teleop").create_publisher(Float64MultiArray, "arm/gripper_command", qos.COMMAND)
    graph.spin_until(lambda: "'teleop' also publishes /arm/gripper_command" in arm.rival(), arm.rival())


class Nobody:
    """A node that is only beginning to be discovered."""

    def get_name(self) -> str:
        return "controller"

    def get_namespace(self) -> str:
        return "/"

    def get_publishers_info_by_topic(self, topic: str) -> list:
        class Info:
            node_name, node_namespace = UNKNOWN, "/"

        class Own:
            node_name, node_namespace = "controller", "/"

        return [Info, Own]


class Publisher:
    topic_name = "/target_pose"


def test_a_rival_without_a_name_yet_is_a_rival() -> None:
    assert rivals(Nobody(), Publisher()) == "a node that is not known by name yet also publishes /target_pose; end it"
