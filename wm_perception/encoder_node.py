"""encoder_node: ``camera/image_raw`` to ``latent`` and ``goal/image`` to ``goal/latent``; only it holds the encoder."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from wm_core.errors import ConfigError
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel
from wm_ros import convert, qos
from wm_ros.diagnostics import Diagnostics, Health, Rolling
from wm_ros.node import WmNode, run_node

from .encoder import Encoder, Latent

#: No latent for longer than this, and the node reports that it is not well.
SILENCE_S = 1.0


@dataclass(frozen=True)
class EncoderConfig:
    """Parameters of encoder_node.

    ``bundle`` is a folder; frames older than ``max_age_s`` are dropped; ``camera_frame`` is the frame id that images
    must carry ("" takes any: camera drivers differ).
    """

    bundle: str = ""
    backend: str = "onnxruntime"
    threads: int = 1
    max_age_s: float = 0.3
    camera_frame: str = ""

    def __post_init__(self) -> None:
        if not self.max_age_s > 0.0:
            raise ConfigError(f"max_age_s = {self.max_age_s} of the encoder must be positive")


class EncoderNode(WmNode[EncoderConfig]):
    """The executor's thread hands messages over; the core's worker thread decodes and encodes the newest one."""

    def __init__(self) -> None:
        super().__init__("encoder", EncoderConfig)
        c = self.config
        self._model = WorldModel(Bundle.load(c.bundle), c.backend, c.threads, parts=("encoder",))
        self._latents = self.create_publisher(Image, "latent", qos.SENSOR)
        self._goals = self.create_publisher(Image, "goal/latent", qos.GOALS)
        self._encode_ms, self._latents_sent = Rolling(), Rolling()
        self._latent_at_s = time.monotonic()
        self._refused = ""
        self._encoder: Encoder[Image | CompressedImage, Header] = Encoder(
            self._encode,
            lambda latent, header: self._publish(self._latents, latent, header),
            on_goal=lambda latent, header: self._publish(self._goals, latent, header),
            max_age_s=c.max_age_s,
            clock=self.now_s,
        )
        self.create_subscription(Image, "camera/image_raw", self._on_frame, qos.SENSOR)
        self.create_subscription(CompressedImage, "camera/image_raw/compressed", self._on_frame, qos.SENSOR)
        self.create_subscription(Image, "goal/image", self._on_goal, qos.GOALS)
        Diagnostics(self, self._health)

    def _on_frame(self, msg: Image | CompressedImage) -> None:
        wanted, found = self.config.camera_frame, msg.header.frame_id
        self._refused = f"a frame has the frame id '{found}', not '{wanted}'" if wanted and found != wanted else ""
        if self._refused:
            return self.warn(self._refused)
        self._encoder.submit(msg, msg.header, convert.stamp_to_s(msg.header.stamp))

    def _on_goal(self, msg: Image) -> None:
        self._encoder.submit_goal(msg, msg.header)

    def _encode(self, msg: Image | CompressedImage) -> Latent:
        frame = convert.msg_to_image(msg)
        start = time.perf_counter()
        latent = self._model.encode(frame[None])[0]
        self._encode_ms.add(1e3 * (time.perf_counter() - start))
        return latent

    def _publish(self, publisher: Publisher, latent: Latent, header: Header) -> None:
        publisher.publish(convert.latent_to_msg(latent, header.stamp, header.frame_id))
        if publisher is self._latents:
            self._latent_at_s = time.monotonic()
            self._latents_sent.add(0.0)

    def _health(self) -> Health:
        stats = self._encoder.stats()
        message = stats.fault if stats.fault else self._refused
        if not message and time.monotonic() - self._latent_at_s > SILENCE_S:
            message = f"no frame for {SILENCE_S:g} s that is less than {self.config.max_age_s:g} s old"
        if message:
            self.warn(message)
        values = {
            "rate_hz": self._latents_sent.rate_hz(),
            **self._encode_ms.summary("encode"),
            "frame_to_latent_p50_ms": 1e3 * stats.latency_p50_s,
            "frame_to_latent_p99_ms": 1e3 * stats.latency_p99_s,
            "dropped": stats.replaced,
            "stale": stats.stale,
            "faults": stats.faults,
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
