"""Collects the latents of a set of sub-goals, which come one by one and in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from wm_core.errors import GoalError

from . import convert


class GoalLatents:
    """One set at a time: all pictures of a set carry one stamp, and a new stamp begins a new set.

    Args:
        count: how many are expected at first; 0 if others will tell.
    Raises:
        GoalError: more than :data:`wm_ros.convert.MAX_GOALS` are expected.
    """

    def __init__(self, count: int = 0) -> None:
        if count > convert.MAX_GOALS:
            raise GoalError(f"{count} goal pictures are too many; keep at most {convert.MAX_GOALS}")
        self.count = count
        self._stamp_s: float | None = None
        self._latents: dict[int, NDArray[np.float32]] = {}

    @property
    def missing(self) -> str:
        """One sentence as long as the set is not complete, then ""."""
        if self.count == 0:
            return "there are no goal pictures"
        collected = len(self._latents)
        return "" if collected == self.count else f"{collected} of {self.count} goal pictures are encoded"

    def add(self, msg: Image) -> NDArray[np.float32] | None:
        """Take one latent; all of them ``(n, T, C)`` when the set is complete. Raises ValueError on another message."""
        index, count = convert.parse_goal_frame(msg.header.frame_id)
        latent = convert.msg_to_latent(msg)
        stamp_s = convert.stamp_to_s(msg.header.stamp)
        if (stamp_s, count) != (self._stamp_s, self.count):
            self._stamp_s, self.count, self._latents = stamp_s, count, {}
        self._latents[index] = latent
        if self.missing:
            return None
        return np.stack([self._latents[k] for k in range(count)])
