"""Takes a camera's frames from its driver's topics, raw or compressed, as long as only one node publishes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import CompressedImage, Image

from wm_core.errors import quoted
from wm_core.topics import CAMERA
from wm_ros import qos
from wm_ros.clock import steady_s
from wm_ros.node import WmNode
from wm_ros.voices import UNKNOWN, Voices, speakers

#: A driver that sends raw frames sends them several times in this time; then the compressed ones tell nothing new.
RAW_S = 1.0


class Frames:
    """Subscribes to ``camera/image_raw`` and to what lies below it as ``compressed``; one remapping moves both.

    Args:
        node: that subscribes.
        frame_id: that frames must carry; "" takes any.
        take: called with each frame that can be used.

    Attributes:
        refused: why the newest frame was not used, in one sentence; "" if it was.
    """

    def __init__(self, node: WmNode[Any], frame_id: str, take: Callable[[Image | CompressedImage], None]) -> None:
        self._node, self._frame_id, self._take = node, frame_id, take
        self.refused = ""
        self._raw_at_s: float | None = None
        self._voices = Voices(node)
        # Somebody may name the compressed topic itself.
        raw = node.resolve_topic_name(CAMERA.name).removesuffix("/compressed")
        self._topics = raw, f"{raw}/compressed"
        for topic, kind in zip(self._topics, (Image, CompressedImage), strict=True):
            self._voices.watch(topic)
            node.create_subscription(kind, topic, self._on_frame, qos.SENSOR)

    def unusable(self) -> None:
        """The newest raw frame is no picture: compressed ones are welcome."""
        self._raw_at_s = None

    def _on_frame(self, msg: Image | CompressedImage) -> None:
        self.refused = self._rival()
        if not self.refused and self._frame_id and msg.header.frame_id != self._frame_id:
            found = quoted(msg.header.frame_id)
            self.refused = f"a frame has the frame id {found}, not '{self._frame_id}'; mend it or camera_frame"
        if self.refused:
            return self._node.warn(self.refused)
        now_s = steady_s()
        if isinstance(msg, Image):
            self._raw_at_s = now_s
        elif self._raw_at_s is not None and now_s - self._raw_at_s < RAW_S:
            return  # the same picture once more
        self._take(msg)

    def _rival(self) -> str:
        """Who else sends frames, as a sentence; "" if nobody. Raw and compressed ones of one node are one voice."""
        if said := self._voices.trouble():
            return said
        names = {name for topic in self._topics for name, _ in speakers(self._node, topic) if UNKNOWN not in name}
        if len(names) < 2:
            return ""
        one, other = (quoted(name.removeprefix("/")) for name in sorted(names)[:2])
        return f"the nodes {one} and {other} both publish frames of {self._topics[0]}, raw or compressed; end one"
