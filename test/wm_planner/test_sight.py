"""What may be acted on: a fresh latent of the right camera, with an arm state measured at its stamp. No transport."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from wm_planner.node_config import SightConfig
from wm_planner.sight import Seen, Sight
from wm_ros import convert, qos
from wm_ros.node import WmNode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

_numbers = itertools.count()


class Rig:
    def __init__(self) -> None:
        rclpy.init(args=["--ros-args", "-r", f"__ns:=/sight{next(_numbers)}", "-p", "camera_frame:=camera"])
        self.node: WmNode[SightConfig] = WmNode("eyes", SightConfig)
        self.seen: list[Seen] = []
        self.sight = Sight(self.node, self.node.config, self.seen.append)

    def measure(self, x: float = 0.4, age_s: float = 0.0) -> None:
        stamp = convert.s_to_stamp(self.node.now_s() - age_s)
        self.sight._arm._on_gripper(convert.gripper_to_msg(0.5, stamp))
        self.sight._arm._on_pose(convert.pose_to_msg([x, 0.0, 0.2, np.pi, 0.0, 0.0], stamp, "base"))

    def look(self, value: float = 1.0, age_s: float = 0.0, frame_id: str = "camera") -> str:
        """Take a latent of that value; the sentence of its refusal."""
        stamp = convert.s_to_stamp(self.node.now_s() - age_s)
        self.sight._on_latent(convert.latent_to_msg(np.full((2, 3), value, np.float32), stamp, frame_id))
        return self.sight.trouble


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.node.destroy_node()
    rclpy.shutdown()


def test_a_latent_comes_with_the_state_nearest_to_its_stamp(rig: Rig) -> None:
    assert rig.sight.silence == "no latent for 1 s"
    rig.measure(0.3, age_s=0.15)
    rig.measure(0.4, age_s=0.05)
    assert rig.look(7.0, age_s=0.14) == ""
    (seen,) = rig.seen
    assert seen.latent.shape == (2, 3) and np.all(seen.latent == 7.0)
    np.testing.assert_allclose(seen.state[[0, 1, 2, 6]], [0.3, 0.0, 0.2, 0.5])
    assert seen.stamp_s == convert.stamp_to_s(seen.stamp) and rig.sight.silence == ""


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("latent", Image),
        ("goal/latent", Image),
        ("arm/current_pose", PoseStamped),
        ("arm/gripper", JointState),
        ("controller/state", String),
    ],
)
def test_nothing_is_seen_while_two_speak(rig: Rig, topic: str, kind: type) -> None:
    own, stray = (rclpy.create_node(name, namespace=rig.node.get_namespace()) for name in ("own", "stray"))
    profile = qos.GOALS if topic.startswith("goal") else qos.SENSOR if kind is not String else qos.LATCHED
    own.create_publisher(kind, topic, profile)

    def until(says: str) -> None:
        until_s = time.monotonic() + 20.0
        rig.measure()
        while says != (said := rig.look(frame_id="camera")):
            assert time.monotonic() < until_s, said
            time.sleep(0.02)
            rig.measure()

    until("")
    second = stray.create_publisher(kind, topic, profile)
    ns = rig.node.get_namespace()
    until(f"the nodes '{ns[1:]}/own' and '{ns[1:]}/stray' publish {ns}/{topic}; end all but one")
    seen = len(rig.seen)
    rig.look()
    assert len(rig.seen) == seen
    stray.destroy_publisher(second)
    until("")
    own.destroy_node()
    stray.destroy_node()


def test_what_cannot_be_acted_on_is_one_sentence_until_a_good_one_comes(rig: Rig) -> None:
    assert rig.look() == "no measured arm state near the frame's stamp"
    rig.measure()
    assert rig.look(frame_id="other") == "latent has the frame id 'other', not 'camera'"
    assert len(rig.look(frame_id="x" * 10_000_000)) < 200
    assert "s old by this machine's clock" in rig.look(age_s=1.0)
    assert "s old by this machine's clock" in rig.look(age_s=-1.0)
    assert rig.look(age_s=0.25) == "no measured arm state near the frame's stamp"
    assert not rig.seen and rig.sight.silence
    rig.measure()
    assert rig.look() == "" and len(rig.seen) == 1


def test_a_frozen_picture_is_refused_once_the_arm_has_moved(rig: Rig) -> None:
    rig.measure(0.40)
    assert rig.look(1.0) == ""
    rig.measure(0.45)
    assert rig.look(1.0) == "the picture has not changed while the arm moved 50 mm"
    rig.measure(0.45)
    assert rig.look(2.0) == "" and len(rig.seen) == 2
