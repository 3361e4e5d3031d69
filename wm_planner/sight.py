"""What planner_node and calibrate_node act on: a latent, and the arm state that was measured at its stamp.

Nothing is seen as long as someone else publishes any of it too, or speaks in the controller's place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from wm_core.errors import quoted
from wm_core.pose import Array
from wm_core.topics import GOAL_LATENT, LATENT, STATE
from wm_ros import convert
from wm_ros.clock import steady_s
from wm_ros.endpoints import subscribe
from wm_ros.measured_arm import MeasuredArm
from wm_ros.node import WmNode
from wm_ros.voices import Voices

from .frozen import FrozenCamera
from .node_config import SightConfig

SILENCE_S = 1.0


@dataclass(frozen=True)
class Seen:
    """A latent (T, C), the TCP state (7,) in the base frame that was measured nearest to its stamp, and the stamp."""

    latent: NDArray[Any]
    state: Array
    stamp: Time

    @property
    def stamp_s(self) -> float:
        """The stamp in seconds."""
        return convert.stamp_to_s(self.stamp)


class Sight:
    """Subscribes to ``latent`` and to the measured arm.

    Args:
        node: that subscribes.
        config: which frames are right, and which ages.
        seen: called with each latent that can be used.
    """

    def __init__(self, node: WmNode[Any], config: SightConfig, seen: Callable[[Seen], None]) -> None:
        self._node, self._config, self._seen = node, config, seen
        #: The newest sentence of :meth:`refuse`; "" after a latent that can be used.
        self.trouble = ""
        self._seen_at_s = -math.inf
        self._frozen = FrozenCamera()
        self._arm = MeasuredArm(node, config.base_frame, self._on_arm_trouble, config=config.measured)
        self._voices, m = Voices(node), config.measured
        for topic in (LATENT.name, GOAL_LATENT.name, STATE.name, m.pose_topic, m.gripper_topic):
            self._voices.watch(topic, shared=topic in m.shared_topics)
        subscribe(node, LATENT, self._on_latent)

    @property
    def silence(self) -> str:
        """One sentence as long as no latent comes that can be used, then ""."""
        return f"no latent for {SILENCE_S:g} s" if steady_s() - self._seen_at_s > SILENCE_S else ""

    def refuse(self, sentence: str) -> None:
        """Say why nothing can be done with what came."""
        self.trouble = sentence
        self._node.warn(sentence)

    def _on_arm_trouble(self, _: str, sentence: str) -> None:
        if sentence:
            self.refuse(sentence)

    def _on_latent(self, msg: Image) -> None:
        stamp_s, c = convert.stamp_to_s(msg.header.stamp), self._config
        age_s = self._node.now_s() - stamp_s
        if rival := self._voices.trouble():
            return self.refuse(rival)
        if c.camera_frame and msg.header.frame_id != c.camera_frame:
            return self.refuse(f"latent has the frame id {quoted(msg.header.frame_id)}, not '{c.camera_frame}'")
        if not abs(age_s) <= c.max_age_s:
            return self.refuse(f"a latent is {age_s:.2f} s old by this machine's clock")
        if trouble := self._arm.trouble("pose", "gripper"):
            return self.refuse(trouble)
        gap_s, measured = self._arm.nearest(stamp_s)
        if measured is None or not gap_s <= c.max_state_gap_s:
            return self.refuse("no measured arm state near the frame's stamp")
        try:
            latent = convert.msg_to_latent(msg)
        except ValueError as error:
            return self.refuse(str(error))
        if frozen := self._frozen.check(latent, measured.pose[:3]):
            return self.refuse(frozen)
        self._seen_at_s, self.trouble = steady_s(), ""
        self._seen(Seen(latent, measured.state, msg.header.stamp))
