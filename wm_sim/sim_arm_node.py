"""sim_arm_node: the simulated cell in real time, behind the topics of a real arm and a real camera.

It treats targets as CRISP does on a real Franka (utiasDSL/crisp_controllers): the frame id is ignored, the last target
is held for ever, and every message is dropped while more than one publisher advertises the topic.
``sim/reset`` (Int64, a seed) is what a person does between two episodes: the cube and its goal go where the seed says,
and the arm stays where it is.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, WrenchStamped
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.time import Time as Instant
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Int64

from wm_core import seeds, topics
from wm_core.errors import ConfigError
from wm_core.pose import Array
from wm_core.reports import Health
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Rolling
from wm_ros.endpoints import publisher, subscribe
from wm_ros.node import WmNode, report_to_msg
from wm_ros.run import run_node

from .layout import lay_out, truth
from .node_config import SimArmConfig
from .scene import FAR_M, Camera, Measured, PandaScene
from .trace import Trace

#: Physics that lies further behind than this is skipped: the arm may be slow, never jump.
MAX_CATCH_UP_S = 0.1
SCENE_REPORT_HZ = 2.0


class SimArmNode(WmNode[SimArmConfig]):
    """Physics and rendering in the executor's thread, to which the GL context belongs.

    A subclass with the interface of another arm changes the names below and the methods from ``_take_target`` to
    ``_gripper_msg``. Physics and topics are paced by a clock that nobody can set, so that a ROS clock that steps or
    stands still shows in the stamps, as it does on a real arm, and nowhere else.
    """

    NAME, CONFIG = "sim_arm", SimArmConfig
    POSE, WRENCH, GRIPPER = topics.POSE.name, topics.WRENCH.name, topics.GRIPPER.name
    TARGET, GRIPPER_COMMAND = topics.TARGET.name, topics.GRIPPER_COMMAND.name

    def __init__(self) -> None:
        super().__init__(self.NAME, self.CONFIG)
        c = self.config
        if self.get_parameter("use_sim_time").value:
            self.warn("use_sim_time: the arm moves in real time all the same; only its stamps follow /clock")
        self._trace = Trace(c.trace) if c.trace else None
        self._seed = c.seed
        self._scene = PandaScene(c.seed, Camera(azimuth_deg=c.camera_azimuth_deg))
        self._scene.render()  # opens the GL context now, so that a missing library is found at the start
        self._pose = self.create_publisher(PoseStamped, self.POSE, qos.SENSOR)
        self._gripper = self.create_publisher(JointState, self.GRIPPER, qos.SENSOR)
        self._wrench = self.create_publisher(WrenchStamped, self.WRENCH, qos.SENSOR)
        self._camera = publisher(self, topics.CAMERA)
        self._truth = publisher(self, topics.SCENE)
        self._targets_heard: Subscription | None = None
        self.listen(True)
        self.create_subscription(Float64MultiArray, self.GRIPPER_COMMAND, self._on_gripper, qos.COMMAND)
        subscribe(self, topics.RESET, self._on_reset)
        self._render_ms, self._step_ms = Rolling(), Rolling()
        self._targets = self._dropped = self._ticks = 0
        self._skipped_s = 0.0
        self._trouble = ""
        Diagnostics(self, self._health)
        self.create_timer(1.0 / SCENE_REPORT_HZ, self._report_scene)
        self._last_s = time.monotonic()
        self.create_timer(1.0 / c.rate_hz, self._tick)

    def listen(self, on: bool) -> None:
        """Whether anybody subscribes to the targets."""
        if on and self._targets_heard is None:
            self._targets_heard = self.create_subscription(PoseStamped, self.TARGET, self._on_target, qos.COMMAND)
        elif not on and self._targets_heard is not None:
            self.destroy_subscription(self._targets_heard)
            self._targets_heard = None

    def _on_target(self, msg: PoseStamped) -> None:
        if self.count_publishers(self.TARGET) > 1:
            names = " and ".join(sorted(info.node_name for info in self.get_publishers_info_by_topic(self.TARGET)))
            return self._drop(f"{self.TARGET} has more than one publisher ({names}), so every target is dropped")
        try:
            self._take_target(msg)
        except ValueError as error:
            return self._drop(f"a target was dropped: {error}")
        self._targets += 1
        self._trouble = ""

    def _on_gripper(self, msg: Float64MultiArray) -> None:
        try:
            self._take_gripper(convert.msg_to_gripper_command(msg))
        except ValueError as error:
            self._drop(f"a gripper command was dropped: {error}")

    def _take_target(self, msg: PoseStamped) -> None:
        pose = convert.msg_to_pose(msg)
        if not np.abs(pose[:3]).max() <= FAR_M:
            raise ValueError(f"{np.abs(pose[:3]).max():g} m is no place for this arm")
        self._scene.set_target(pose)

    def _take_gripper(self, command: float) -> None:
        self._scene.set_gripper(command)

    def _advance(self, duration_s: float) -> None:
        self._scene.advance(duration_s)

    def _measured(self) -> Measured:
        return self._scene.state()

    def _measured_wrench(self) -> Array:
        return self._scene.wrench()

    def _stamp(self, now: Instant) -> Time:
        """That of the arm's messages; the camera's is ``now``."""
        return now.to_msg()

    def _send(self, publisher: Publisher, msg: Any) -> None:
        publisher.publish(msg)

    def _gripper_msg(self, closed: float, stamp: Time) -> JointState:
        return convert.gripper_to_msg(closed, stamp)

    def _on_reset(self, msg: Int64) -> None:
        try:
            self._seed = seeds.checked(msg.data)
        except ConfigError as error:
            return self.warn(f"sim/reset: {error}")
        lay_out(self._scene, self._seed)
        self._report_scene()

    def _drop(self, sentence: str) -> None:
        self._dropped += 1
        self._trouble = sentence
        self.warn(sentence)

    def _tick(self) -> None:
        start = time.monotonic()
        behind_s = start - self._last_s
        elapsed_s = min(behind_s, MAX_CATCH_UP_S)
        self._skipped_s += behind_s - elapsed_s
        before_s = self._scene.time_s
        self._advance(elapsed_s)
        # The scene steps in whole 4 ms: what is left over counts towards the next tick.
        self._last_s = start - (elapsed_s - (self._scene.time_s - before_s))
        self._step_ms.add(1e3 * (time.monotonic() - start))
        now, c = self.get_clock().now(), self.config
        stamp = self._stamp(now)
        measured = self._measured()
        self._send(self._pose, convert.pose_to_msg(measured.pose, stamp, c.base_frame))
        self._send(self._gripper, self._gripper_msg(measured.gripper, stamp))
        self._send(self._wrench, convert.wrench_to_msg(self._measured_wrench(), stamp, c.base_frame))
        if self._due(c.camera_hz):
            start = time.monotonic()
            self._camera.publish(convert.image_to_msg(self._scene.render(), now.to_msg(), c.camera_frame))
            self._render_ms.add(1e3 * (time.monotonic() - start))
            if self._trace is not None:
                self._trace.add(self._scene.data.qpos)
        self._ticks += 1

    def _due(self, rate_hz: float) -> bool:
        """Whether something at ``rate_hz`` is due in this tick."""
        ratio = rate_hz / self.config.rate_hz
        return int((self._ticks + 1) * ratio) > int(self._ticks * ratio)

    def _report_scene(self) -> None:
        """Ground truth, for whoever judges a run; nothing that plans or controls may subscribe."""
        self._truth.publish(report_to_msg(truth(self._scene, self._seed)))

    def _health(self) -> Health:
        values = {
            "camera_hz": self._render_ms.rate_hz(),
            **self._render_ms.summary("render"),
            **self._step_ms.summary("physics"),
            "targets": self._targets,
            "dropped": self._dropped,
            "skipped_s": self._skipped_s,
        }
        return Health(not self._trouble, self._trouble, values)

    def close(self) -> None:
        self._scene.close()
        if self._trace is not None and (trouble := self._trace.write()):
            self.get_logger().error(trouble)


def main() -> None:
    sys.exit(run_node(SimArmNode))


if __name__ == "__main__":
    main()
