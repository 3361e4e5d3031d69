"""The planner's own goal pictures: shown to the encoder until all of them are encoded."""

from __future__ import annotations

from typing import Any

from wm_core.errors import GoalError
from wm_core.topics import GOAL_IMAGE
from wm_ros import convert
from wm_ros.endpoints import publisher
from wm_ros.node import WmNode

from .goal_sets import Label
from .goals import load_goals

#: What the encoder could not take yet, or lost in a flood of other pictures, is shown again.
AGAIN_S = 1.0


class GoalPictures:
    """Publishes ``goal/image``.

    Args:
        node: that publishes.
        goal: folder of the pictures, or one picture; "" for none.
        instance: 8 hex digits of the process, that the pictures are labelled with.

    Attributes:
        label: of the set; None if there is none.
        missing: indices of the pictures that have not been encoded yet.

    Raises GoalError on pictures that cannot be read, and on too many of them.
    """

    def __init__(self, node: WmNode[Any], goal: str, instance: str) -> None:
        self._pictures = load_goals(goal, node.get_logger().warning) if goal else []
        count = len(self._pictures)
        if count > convert.MAX_GOALS:
            raise GoalError(f"{count} goal pictures are too many; keep at most {convert.MAX_GOALS}")
        self._publisher = publisher(node, GOAL_IMAGE)
        self._stamp, self._instance = node.get_clock().now().to_msg(), instance
        self.label = Label(instance, convert.stamp_to_s(self._stamp), count) if count else None
        self.missing = list(range(count))
        if count:
            node.create_timer(AGAIN_S, self.show)

    def show(self) -> None:
        """Publish those that are missing. The encoder takes them once it has heard of ``instance``."""
        for k in self.missing:
            frame_id = convert.goal_frame(k, len(self._pictures), self._instance)
            self._publisher.publish(convert.image_to_msg(self._pictures[k], self._stamp, frame_id))
