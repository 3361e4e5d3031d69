"""A price on moving the gripper, so that it opens and closes for a reason and not for the noise of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..action_space import GRIPPER
from .base import Array


@dataclass(frozen=True)
class GripperSwitch:
    """``weight`` for each step of the plan that changes the gripper command."""

    weight: float

    def __call__(self, latents: NDArray[Any], actions: Array) -> Array:
        """See :class:`Cost`."""
        return self.weight * np.count_nonzero(actions[..., GRIPPER], axis=1)
