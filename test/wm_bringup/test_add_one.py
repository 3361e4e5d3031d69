"""Another package adds an arm, a gripper and a camera source: one file, no edit here, and the graph runs with them.

What the graph has never heard of is under its rules: the arm's topics have no other voice, its limits are guards, it is
not the simulator's, and in a dry run it publishes nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_bringup import graph, guards
from wm_bringup.processes import Processes
from wm_controller.arms.dry_run import DryRunConfig
from wm_controller.monitor import EnvelopeMonitor
from wm_core.errors import ConfigError
from wm_core.topics import DRY_TARGET
from wm_perception.camera_node import CameraNode
from wm_ros import convert, qos

FILES = {
    "lab/__init__.py": "",
    "lab/jog.py": '''
from dataclasses import dataclass, field
from wm_controller.arms import Arm, ArmConfig
from wm_controller.arms.grippers import GRIPPERS, GripperConfig

@dataclass(frozen=True)
class JogConfig(ArmConfig):
    """An arm with a driver of its own: time and pose, six numbers, in one array."""

    kind: str = "jog"
    jog_topic: str = "lab/jog"
    stiffness_n_m: float = 100.0
    gripper: GripperConfig = field(default_factory=lambda: GRIPPERS.load("suction")())

    def make(self, node, base_frame, limits):
        from std_msgs.msg import Float64MultiArray

        return Jog(node.create_publisher(Float64MultiArray, self.jog_topic, 1), self.gripper.make(node))

    def outputs(self):
        of_gripper = {f"gripper.{key}": topic for key, topic in self.gripper.outputs().items()}
        return {"jog_topic": self.jog_topic, **of_gripper}

    def caps(self):
        return ("stiffness_n_m",)

class Jog(Arm):
    def __init__(self, jogs, gripper):
        self._jogs, self._gripper = jogs, gripper

    def send_pose(self, pose6, now_s, stamp_s, holding=False):
        self._jogs.publish(self._jogs.msg_type(data=[stamp_s, *map(float, pose6)]))

    def send_gripper(self, value):
        self._gripper.send(value)

    def forget_gripper(self):
        self._gripper.forget()

    def stop(self, at_once=True):
        self._gripper.stop()

KIND = JogConfig
''',
    "lab/suction.py": """
from dataclasses import dataclass
from wm_controller.arms.grippers import Gripper, GripperConfig

@dataclass(frozen=True)
class SuctionConfig(GripperConfig):
    kind: str = "suction"
    vacuum_topic: str = "lab/vacuum"

    def make(self, node):
        from std_msgs.msg import Bool

        return Suction(node.create_publisher(Bool, self.vacuum_topic, 1))

    def outputs(self):
        return {"vacuum_topic": self.vacuum_topic}

class Suction(Gripper):
    def __init__(self, vacuum):
        self._vacuum = vacuum

    def send(self, value):
        self._vacuum.publish(self._vacuum.msg_type(data=value > 0.5))

    def forget(self):
        pass

    def stop(self):
        pass

KIND = SuctionConfig
""",
    "lab/still.py": """
import time
from dataclasses import dataclass
import numpy as np
from wm_perception.sources import FrameSource, SourceConfig

@dataclass(frozen=True)
class StillConfig(SourceConfig):
    kind: str = "still"
    colour: tuple[int, int, int] = (0, 0, 0)
    fps: float = 50.0

    def open(self):
        return Still(self)

class Still(FrameSource):
    def __init__(self, config):
        self.fps, self._frame = config.fps, np.full((4, 6, 3), config.colour, dtype=np.uint8)

    def read(self):
        return self._frame, time.time()

    def close(self):
        pass

KIND = StillConfig
""",
}
POINTS = {
    "wm_bringup.arms": {"jog": "lab.jog:KIND"},
    "wm_bringup.grippers": {"suction": "lab.suction:KIND"},
    "wm_bringup.sources": {"still": "lab.still:KIND"},
}
START = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])


@pytest.fixture
def preset(foreign_package: Callable[..., Path], tmp_path: Path) -> Path:
    """Of the foreign arm, as somebody's lab has it."""
    foreign_package(FILES, POINTS)
    file = tmp_path / "arm.yaml"
    file.write_text("base: arms/base/franka\nrobot: fr3\narm: {kind: jog, jog_topic: lab/jogs}\n")
    return file


def controller(arm: Path, mode: str = "real", **cell: object) -> graph.NodeSpec:
    return graph.pick_place(mode, bundle="/bundle", goal="/goal", arm=str(arm), **cell).nodes[-1]


def test_the_graph_takes_an_arm_and_a_gripper_that_it_has_never_heard_of(preset: Path) -> None:
    found = graph.configuration(controller(preset)).arm
    assert found.kind == "jog" and found.outputs() == {"jog_topic": "lab/jogs", "gripper.vacuum_topic": "lab/vacuum"}
    crisp = controller(Path("fr3_crisp"), settings={"controller": {"arm.gripper.kind": "suction"}})
    assert list(graph.configuration(crisp).arm.outputs().values()) == ["target_pose", "lab/vacuum"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"arm.jog_topic": "franka_robot_state_broadcaster/current_pose"}, "arm.jog_topic .* also .* measured.pose"),
        (
            {"arm.gripper": {"kind": "suction", "vacuum_topic": "lab/jogs"}},
            "vacuum_topic = 'lab/jogs' is also .* arm.jog_topic",
        ),
        ({"arm.stiffness_n_m": 200.0}, "drops the guard arm.stiffness_n_m.*= 200.0 in place of 100.0"),
        ({"arm.kind": "pose_stream"}, "drops the guard arm.kind"),
        ({"arm.pose_topic": "x"}, "unknown key 'pose_topic'"),
    ],
)
def test_its_topics_have_no_other_voice_and_its_limits_are_guards(preset: Path, settings: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        controller(preset, settings={"controller": settings})


def test_its_own_limit_may_be_tightened_or_dropped_in_so_many_words(preset: Path) -> None:
    assert controller(preset, settings={"controller": {"arm.stiffness_n_m": 50.0}})
    looser = {"controller": {"arm.stiffness_n_m": 200.0}}
    assert controller(preset, settings=looser, drop_guards=["arm.stiffness_n_m"])


def test_it_is_not_the_simulators(preset: Path) -> None:
    with pytest.raises(ConfigError, match="mode sim moves the simulated arm alone"):
        controller(preset, mode="sim")


@pytest.mark.parametrize("settings", [{}, {"arm.jog_topic": "lab/other"}, {"arm": {"gripper": {"kind": "suction"}}}])
def test_a_dry_run_has_nothing_of_it(preset: Path, settings: dict) -> None:
    spec = controller(preset, dry_run=True, settings={"controller": settings})
    assert graph.configuration(spec).arm == DryRunConfig()


def test_a_camera_source_of_another_package_is_published(foreign_package, tmp_path: Path) -> None:
    foreign_package(FILES, POINTS)
    (tmp_path / "camera.yaml").write_text("source: {kind: still, colour: [10, 20, 30]}\n")
    camera = graph.pick_place("real", bundle="/bundle", goal="/goal", config=tmp_path).nodes[0]
    assert graph.configuration(camera).source.colour == (10, 20, 30)
    files = ", ".join(camera.parameters["config"])
    rclpy.init(args=["--ros-args", "-p", f"config:=[{files}]"])
    frames: list[Image] = []
    try:
        node, listener = CameraNode(), rclpy.create_node("listener")
        listener.create_subscription(Image, "camera/image_raw", frames.append, qos.SENSOR)
        while not frames:
            rclpy.spin_once(listener, timeout_sec=0.1)
        node.close()
        node.destroy_node()
        listener.destroy_node()
    finally:
        rclpy.try_shutdown()
    np.testing.assert_array_equal(convert.msg_to_image(frames[0]), np.full((4, 6, 3), (10, 20, 30)))


class Lab:
    """All that is around a controller: an arm that follows at once, and one who plans to go forward and to grip."""

    def __init__(self) -> None:
        self._context = rclpy.context.Context()
        rclpy.init(context=self._context)
        self.node, self._planner = (rclpy.create_node(name, context=self._context) for name in ("lab", "planner"))
        self._executor = SingleThreadedExecutor(context=self._context)
        for node in (self.node, self._planner):
            self._executor.add_node(node)
        self.pose, self.mode, self.jogs, self.vacuum, self.dry = START, "", [], [], []
        self._poses = self.node.create_publisher(PoseStamped, "arm/current_pose", qos.SENSOR)
        self._grippers = self.node.create_publisher(JointState, "arm/gripper", qos.SENSOR)
        self._plans = self._planner.create_publisher(JointTrajectory, "planner/plan", qos.COMMAND)
        self.node.create_subscription(Float64MultiArray, "lab/jogs", self._on_jog, 100)
        self.node.create_subscription(Bool, "lab/vacuum", lambda msg: self.vacuum.append(msg.data), 100)
        self.node.create_subscription(PoseStamped, DRY_TARGET.name, self.dry.append, 100)
        self.node.create_subscription(String, "controller/state", self._on_state, qos.LATCHED)
        self._start = self.node.create_client(Trigger, "start")
        self.node.create_timer(0.01, self._report)
        self._planner.create_timer(0.1, self._plan)

    def _on_jog(self, msg: Float64MultiArray) -> None:
        self.jogs.append(list(msg.data))
        self.pose = np.array(msg.data[1:])

    def _on_state(self, msg: String) -> None:
        self.mode = json.loads(msg.data)["mode"]

    def _stamp(self) -> object:
        return self.node.get_clock().now().to_msg()

    def _report(self) -> None:
        self._poses.publish(convert.pose_to_msg(self.pose, self._stamp(), "base"))
        self._grippers.publish(convert.gripper_to_msg(0.0, self._stamp()))

    def _plan(self) -> None:
        deltas = np.tile([0.14, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], (2, 1))  # nearly three times as far as a step may be
        self._plans.publish(convert.plan_to_msg(deltas, 0.25, self._stamp(), "base"))

    def until(self, true: Callable[[], object], what: str) -> None:
        until_s = self.node.get_clock().now().nanoseconds * 1e-9 + 60.0
        while not true():
            assert self.node.get_clock().now().nanoseconds * 1e-9 < until_s, what
            self._executor.spin_once(timeout_sec=0.05)

    def run(self) -> None:
        """Start, again and again until the controller runs."""
        self.until(self._start.service_is_ready, "no controller")
        while self.mode != "running":
            answer = self._start.call_async(Trigger.Request())
            self.until(answer.done, "no answer")
            if answer.result().success:
                self.until(lambda: self.mode == "running", "it does not run")

    def published(self) -> set[str]:
        names = self.node.get_publisher_names_and_types_by_node("controller", "/")
        return {name for name, _ in names} - {"/rosout", "/parameter_events", "/diagnostics", "/controller/state"}

    def close(self) -> None:
        self._executor.shutdown()
        for node in (self.node, self._planner):
            node.destroy_node()
        rclpy.shutdown(context=self._context)


@pytest.fixture
def lab(new_domain: Callable[[], None]) -> Iterator[Lab]:
    new_domain()
    made = Lab()
    with contextlib.closing(made):
        yield made


@pytest.mark.live
@pytest.mark.parametrize("dry_run", [False, True])
def test_its_commands_come_out_through_the_envelope_and_none_in_a_dry_run(
    preset: Path, lab: Lab, tmp_path: Path, dry_run: bool
) -> None:
    preset.write_text("arm: {kind: jog, jog_topic: lab/jogs}\n")  # the topics of this test, and no guard
    spec = controller(preset, dry_run=dry_run, drop_guards=guards.FRANKA)
    limits = graph.configuration(spec).limits
    with Processes(tmp_path / "logs") as processes:
        processes.start_node(spec)
        lab.run()
        if dry_run:
            lab.until(lambda: len(lab.dry) > 50, "the dry run shows nothing")
            assert lab.published() == {f"/{DRY_TARGET.name}"}
            assert not lab.jogs and not lab.vacuum
            return
        lab.until(lambda: len(lab.jogs) > 100 and True in lab.vacuum, "nothing is commanded")
        assert lab.published() == {"/lab/jogs", "/lab/vacuum"}
        monitor = EnvelopeMonitor(limits)
        for stamp_s, *pose in lab.jogs:
            monitor.check(stamp_s, pose)
        assert monitor.violations == 0, monitor.counts
        assert lab.jogs[-1][1] > START[0] + 0.02
