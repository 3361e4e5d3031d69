"""The actions that a model understands: ranges, pinned dimensions, and the gripper's levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.errors import ConfigError
from wm_core.pose import GRIPPER, GRIPPER_DEADBAND, STATE_DIM

Array = NDArray[np.float64]


class ActionSpace:
    """The box ``low``..``high`` (7,) of a model's actions. ``low == high`` pins a dimension to that value.

    ``gripper_levels`` makes the gripper delta one of a few values; 0, "keep", is always among them.
    Without levels the gripper delta is continuous; below ``deadband`` it is 0, so that what is imagined is what will be
    done. Raises ConfigError where the box is not finite, not 7 wide, or upside down.
    """

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        gripper_levels: Sequence[float] | None = None,
        deadband: float = GRIPPER_DEADBAND,
    ) -> None:
        self._deadband = deadband
        self.low, self.high = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
        for name, bound in (("low", self.low), ("high", self.high)):
            if bound.shape != (STATE_DIM,) or not np.all(np.isfinite(bound)):
                raise ConfigError(f"the model's action range '{name}' must be {STATE_DIM} finite numbers")
        if np.any(self.low > self.high):
            raise ConfigError("the model's action range has a 'low' above its 'high'")
        free = self.low < self.high
        self.levels: Array | None = None
        if gripper_levels is not None and free[GRIPPER]:
            self.levels = np.unique(np.append(np.asarray(gripper_levels, dtype=np.float64), 0.0))
            if not np.all(np.isfinite(self.levels)):
                raise ConfigError("the model's gripper levels must be finite numbers")
            free[GRIPPER] = False
        #: Indices of the dimensions that vary continuously.
        self.continuous = np.flatnonzero(free)
        for array in (self.low, self.high, self.levels):
            if array is not None:
                array.setflags(write=False)  # kinds of other packages look at them

    def conform(self, actions: ArrayLike) -> Array:
        """The nearest actions (..., 7) that the model understands, as a new array."""
        out = np.minimum(np.maximum(np.asarray(actions, dtype=np.float64), self.low), self.high)
        gripper = out[..., GRIPPER]
        if self.levels is not None:
            middles = (self.levels[1:] + self.levels[:-1]) / 2
            out[..., GRIPPER] = self.levels[np.searchsorted(middles, np.asarray(actions)[..., GRIPPER])]
        elif self.low[GRIPPER] < self.high[GRIPPER]:
            gripper[np.abs(gripper) < self._deadband] = 0.0
        return out
