"""encoder_node: ``camera/image_raw`` to ``latent`` and ``goal/image`` to ``goal/latent``; only it holds the encoder.

``encoder/status`` (JSON, some per second) says that it is alive: ``instance`` of the process, 8 hex digits, and
``fault``, why it gives no latents ("" if it does).
"""

from __future__ import annotations

import secrets
import sys
import time
from typing import Any

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from wm_core.errors import WmError, quoted
from wm_core.reports import ControllerState, EncoderStatus, Health, Heartbeat, Mode, parse
from wm_core.topics import CAMERA, ENCODER, GOAL_IMAGE, GOAL_LATENT, LATENT, STATE, status
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel
from wm_ros import convert
from wm_ros.clock import steady_s
from wm_ros.diagnostics import Diagnostics, Rolling
from wm_ros.endpoints import publisher, subscribe
from wm_ros.node import WmNode, report_to_msg
from wm_ros.run import run_node

from .encoder import Encoder, Latent
from .frame_size import FrameSize
from .frames import Frames
from .node_config import EncoderConfig

#: No latent for longer than this, and the node reports that it is not well.
SILENCE_S = 1.0
#: ``encoder/status`` is to come at least twice a second; the rest is for a busy machine.
STATUS_PERIOD_S = 0.25
#: Many goal pictures may wait, unlike frames; one in 4K UHD has 25 MB.
MOST_GOAL_BYTES = 3840 * 2160 * 3 + 1000


class EncoderNode(WmNode[EncoderConfig]):
    """The executor's thread hands messages over; the core's worker thread decodes and encodes the newest one."""

    def __init__(self) -> None:
        super().__init__("encoder", EncoderConfig)
        c = self.config
        self._model = WorldModel(Bundle.load(c.bundle), c.backend, c.threads, parts=("encoder",))
        self._latents = publisher(self, LATENT)
        self._goals = publisher(self, GOAL_LATENT)
        self._status = publisher(self, status(ENCODER))
        self._instance = secrets.token_hex(4)
        self._encode_ms, self._latents_sent = Rolling(), Rolling()
        self._latent_at_s = steady_s()
        self._frame: tuple[float, float] | None = None  # the newest: when it came, and how old it was, in seconds
        self._size = FrameSize()
        self._planner = self._run = ""  # whose goal pictures are encoded: the planner's own, and those of the run
        self._own_fault = self._camera = ""
        self._aside = 0
        self._encoder: Encoder[tuple[Image | CompressedImage, bool], Header] = Encoder(
            lambda job: self._encode(*job),
            lambda latent, header: self._publish(self._latents, latent, header),
            on_goal=lambda latent, header: self._publish(self._goals, latent, header),
            max_age_s=c.max_age_s,
            clock=self.now_s,
        )
        self._frames = Frames(self, c.camera_frame, self._on_frame)
        subscribe(self, STATE, self._on_state)
        subscribe(self, status("planner"), self._on_planner)
        subscribe(self, GOAL_IMAGE, self._on_goal, most_bytes=MOST_GOAL_BYTES)
        self.create_timer(STATUS_PERIOD_S, self._report)
        Diagnostics(self, self._health)

    # --- messages; a callback that raises is counted and said, and changes nothing ------------------------------------
    def _on_frame(self, msg: Image | CompressedImage) -> None:
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        self._frame = steady_s(), self.now_s() - stamp_s
        self._encoder.submit((msg, False), msg.header, stamp_s)

    def _on_goal(self, msg: Image) -> None:
        index, count, run = convert.parse_goal_frame(msg.header.frame_id)
        if run and not self._planner:
            return  # they may be the planner's, who shows them again
        if not run or run not in (self._planner, self._run):
            self._aside += 1
            return self.warn(f"a goal picture that belongs to no run is left aside: {quoted(msg.header.frame_id)}")
        key = run, convert.stamp_to_s(msg.header.stamp), count, index
        self._encoder.submit_goal((msg, True), msg.header, key)

    def _on_state(self, msg: String) -> None:
        state = parse(ControllerState, msg.data)
        self._run = state.run
        self._size.fixed = state.mode != Mode.IDLE

    def _on_planner(self, msg: String) -> None:
        self._planner = parse(Heartbeat, msg.data).instance

    # --- in the worker's thread ---------------------------------------------------------------------------------------
    def _encode(self, msg: Image | CompressedImage, goal: bool) -> Latent:
        own = goal and self._planner != "" and msg.header.frame_id.endswith(self._planner)
        try:
            picture = convert.msg_to_image(msg)
            height, width = picture.shape[:2]
            if why := (self._size.goal if goal else self._size.frame)(width, height):
                raise WmError(why)
            if not goal:
                self._describe(msg, width, height)
            start = time.perf_counter()
            latent = self._model.encode(picture[None])[0]
            self._encode_ms.add(1e3 * (time.perf_counter() - start))
        except Exception as error:
            self._own_fault = str(error) if own else self._own_fault
            if not goal:
                self._frames.unusable()
            raise
        self._own_fault = "" if own else self._own_fault
        return latent

    def _describe(self, msg: Image | CompressedImage, width: int, height: int) -> None:
        grey = ", grey" if convert.is_grey(msg) else ""
        kind = "compressed" if isinstance(msg, CompressedImage) else msg.encoding
        before, self._camera = self._camera, f"{width} x {height}, {kind}{grey}"
        if grey and self._camera != before:
            self.get_logger().warning(f"the camera has no colours, which the model may need: {self._camera}")

    def _publish(self, publisher: Publisher, latent: Latent, header: Header) -> None:
        publisher.publish(convert.latent_to_msg(latent, header.stamp, header.frame_id))
        if publisher is self._latents:
            self._latent_at_s = steady_s()
            self._latents_sent.add(0.0)

    # --- reports ------------------------------------------------------------------------------------------------------
    def _fault(self) -> str:
        """Why there are no latents, in one sentence; "" if there are."""
        if fault := self._frames.refused or self._encoder.stats().fault:
            return fault
        return self._silence() if steady_s() - self._latent_at_s > SILENCE_S else ""

    def _silence(self) -> str:
        """Why nothing was encoded of late: no camera, one that fell silent, or one whose clock is another."""
        topic, most_s = self.resolve_topic_name(CAMERA.name), self.config.max_age_s
        if self._frame is None:
            return (
                f"no frame on {topic} or {topic}/compressed yet; does the camera's driver run, and is that its topic?"
            )
        heard_at_s, age_s = self._frame
        if steady_s() - heard_at_s > SILENCE_S:
            return f"no frame on {topic} for {SILENCE_S:g} s; look at the camera and its driver"
        if not abs(age_s) <= most_s:
            return (
                f"frames on {topic} are {age_s:.1f} s old by this machine's clock, and may be {most_s:g} s; run "
                "chrony on both machines"
            )
        return f"no frame for {SILENCE_S:g} s that is less than {most_s:g} s old when its turn comes"

    def _report(self) -> None:
        report = EncoderStatus(self._instance, self._fault(), self._own_fault, self._aside, self._camera)
        self._status.publish(report_to_msg(report))

    def _health(self) -> Health:
        stats, message = self._encoder.stats(), self._fault() or self._own_fault
        if message:
            self.warn(message)
        values: dict[str, Any] = {
            "rate_hz": self._latents_sent.rate_hz(),
            **self._encode_ms.summary("encode"),
            "frame_to_latent_p50_ms": 1e3 * stats.latency_p50_s,
            "frame_to_latent_p99_ms": 1e3 * stats.latency_p99_s,
            "dropped": stats.replaced,
            "stale": stats.stale,
            "faults": stats.faults,
            "camera": self._camera,
            "goals_left_aside": self._aside,
            "goals_dropped": stats.dropped,
            "goal_fault": stats.goal_fault,
            **{f"backend.{key}": value for key, value in self._model.info()["encoder"].items()},
        }
        return Health(not message, message, values)

    def close(self) -> None:
        self._encoder.close()
        self._model.close()


def main() -> None:
    sys.exit(run_node(EncoderNode))


if __name__ == "__main__":
    main()
