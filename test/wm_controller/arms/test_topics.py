from __future__ import annotations

import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402

from wm_controller.arms import ArmConfig, GripperConfig, TwistConfig, make_arm  # noqa: E402
from wm_core.errors import ConfigError  # noqa: E402
from wm_ros import qos  # noqa: E402


def test_every_topic_that_an_arm_publishes_is_its_own(graph) -> None:
    """Whoever adds a publisher to a back end adds it to the outputs."""
    twist = TwistConfig(topic="twist")
    for number, config in enumerate(
        (
            ArmConfig(pose_topic="a/pose"),
            ArmConfig(pose_topic="b/pose", gripper=GripperConfig(kind="none")),
            ArmConfig(kind="twist_stream", pose_topic="c/pose", twist=twist),
        )
    ):
        node = graph.node(f"controller{number}")
        before = {publisher.topic_name for publisher in node.publishers}
        arm = make_arm(node, "base", config)
        published = {publisher.topic_name for publisher in node.publishers} - before
        assert {node.resolve_topic_name(topic) for topic in arm.outputs()} == published
        graph.destroy(node)


def test_nobody_listens(graph) -> None:
    arm = make_arm(graph.node("controller"), "base", ArmConfig(gripper=GripperConfig(kind="none")))
    assert arm.state() == "nobody listens to /arm/target_pose; is the arm's controller active?"
    graph.node("driver").create_subscription(PoseStamped, "arm/target_pose", lambda _: None, qos.COMMAND)
    graph.spin_until(lambda: arm.state() == "", arm.state())


@pytest.mark.parametrize("part", ["arm", "gripper"])
def test_a_kind_that_nobody_wrote_is_no_other_kind(graph, part: str) -> None:
    config = ArmConfig()
    object.__setattr__(config if part == "arm" else config.gripper, "kind", "telepathy")
    with pytest.raises(ConfigError, match=f"{part} of kind 'telepathy' has no back end"):
        make_arm(graph.node("controller"), "base", config)
