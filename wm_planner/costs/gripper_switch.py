"""A price on moving the gripper, so that it opens and closes for a reason and not for the noise of a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_core.pose import GRIPPER

from .base import Array, Candidates, Cost, check_weight


@dataclass(frozen=True)
class GripperSwitch(Cost):
    """``weight``, in units of energy, for each step of the plan that changes the gripper command."""

    kind: str = "gripper_switch"
    weight: float = 0.01

    def __post_init__(self) -> None:
        check_weight("weight", self.weight)

    def __call__(self, candidates: Candidates) -> Array:
        """See :class:`Cost`."""
        return self.weight * np.count_nonzero(candidates.actions[..., GRIPPER], axis=1)


KIND = GripperSwitch
