"""What holds for every kind of arm."""

from __future__ import annotations

import subprocess
import sys

import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped  # noqa: E402

from wm_controller.arms import ARMS, ArmConfig  # noqa: E402
from wm_controller.arms.grippers import GRIPPERS  # noqa: E402
from wm_controller.arms.grippers.none import NoGripperConfig  # noqa: E402
from wm_controller.arms.pose_stream import PoseStreamConfig  # noqa: E402
from wm_core.config import from_dict  # noqa: E402
from wm_core.errors import ConfigError  # noqa: E402
from wm_core.limits import Limits  # noqa: E402
from wm_core.topics import DRY_TARGET  # noqa: E402
from wm_ros import qos  # noqa: E402


@pytest.mark.parametrize("config", [*(ARMS.load(name)() for name in ARMS), PoseStreamConfig(gripper=NoGripperConfig())])
def test_every_topic_that_an_arm_publishes_is_its_own(graph, config: ArmConfig) -> None:
    """Whoever adds a publisher to a kind adds it to the outputs."""
    node = graph.node("controller")
    before = {publisher.topic_name for publisher in node.publishers}
    config.make(node, "base", Limits())
    published = {publisher.topic_name for publisher in node.publishers} - before
    commanded = config.outputs().values() if config.moves else [DRY_TARGET.name]
    assert {node.resolve_topic_name(topic) for topic in commanded} == published


def test_nobody_listens(graph) -> None:
    arm = PoseStreamConfig(gripper=NoGripperConfig()).make(graph.node("controller"), "base", Limits())
    assert arm.state() == "nobody listens to /arm/target_pose; is the arm's controller active?"
    graph.node("driver").create_subscription(PoseStamped, "arm/target_pose", lambda _: None, qos.COMMAND)
    graph.spin_until(lambda: arm.state() == "", arm.state())


def test_a_kind_that_nobody_wrote_is_no_other_kind() -> None:
    with pytest.raises(ConfigError, match=r"no arm 'joints'.*: dry_run, pose_stream, twist_stream"):
        from_dict(ArmConfig, {"kind": "joints"})
    with pytest.raises(ConfigError, match=r"gripper: there is no gripper 'claw'.*: franka, none, position, robotiq"):
        from_dict(ArmConfig, {"gripper": {"kind": "claw"}})


def test_every_configuration_is_read_where_there_is_no_ros() -> None:
    code = (
        "import sys; sys.modules.update(rclpy=None, std_msgs=None, geometry_msgs=None, action_msgs=None)\n"
        "from wm_controller.arms import ARMS; from wm_controller.arms.grippers import GRIPPERS\n"
        "from wm_controller.node_config import ControllerNodeConfig\n"
        "every = [table.load(name)() for table in (ARMS, GRIPPERS) for name in table]\n"
        "print(ControllerNodeConfig().arm.kind, *[config.kind for config in every])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pose_stream", *ARMS, *GRIPPERS]
