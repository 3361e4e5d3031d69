"""From the robot's base frame and the hand's TCP to the axes and the frame that a model was trained with.

The planner draws, limits and checks its candidates in the true base frame, so nothing about safety depends on a
calibration or on a bundle: only what goes into a model, or comes out of it, is turned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.path import flange_actions, flange_state, integrate_path
from wm_core.pose import Array, euler_to_matrix

if TYPE_CHECKING:
    from .base import Spec

_YAW = 5


@dataclass(frozen=True)
class ModelFrame:
    """Which frame of the hand a model means, and how its axes lie; see :class:`wm_core.axes.Axes`.

    A model that was trained with its yaw pinned has seen one yaw only, and gets just that: the measured one, or, where
    the hand is held turned with the axes (``turn_yaw``), the one turned back.
    """

    flange: bool = False
    axes: Axes = field(default_factory=Axes)
    turn_yaw: bool = True

    @classmethod
    def of(cls, spec: Spec, axes: Axes | None = None) -> ModelFrame:
        """That of a bundle's model. Raises ConfigError where its actions are not alike in the directions turned."""
        axes = Axes() if axes is None else axes
        low, high = np.asarray(spec.action.low, float), np.asarray(spec.action.high, float)
        if axes.yaw_rad != 0.0:
            for a, b, names in ((0, 1, "x and y"), (3, 4, "roll and pitch")):
                if len({-low[a], -low[b], high[a], high[b]}) != 1:
                    raise ConfigError(f"axes can be turned only for a model whose actions have one range in {names}")
        return cls(spec.pose_frame == "flange", axes, axes.turned_hand or bool(low[_YAW] < high[_YAW]))

    def state(self, state: Array) -> Array:
        """A state (7,) as the model has it; a new array."""
        return self.axes.state_to_model(flange_state(state) if self.flange else state, self.turn_yaw)

    def actions(self, state: Array, actions: Array) -> Array:
        """Actions (N, H, 7) from ``state`` (7,) as the model has them; a new array."""
        moves = flange_actions(integrate_path(state, actions), actions) if self.flange else actions
        return self.axes.actions_to_model(moves)

    def actions_to_base(self, actions: Array) -> Array:
        """A model's actions (..., 7) along the axes of the base frame."""
        return self.axes.actions_to_base(actions)

    def spread_to_base(self, spread: Array) -> Array:
        """Standard deviations (H, 7) along the base frame's axes of Gaussians independent along the model's."""
        if self.axes.yaw_rad == 0.0:
            return spread
        squares = euler_to_matrix([0.0, 0.0, self.axes.yaw_rad]) ** 2
        turned = [np.sqrt(spread[..., i : i + 3] ** 2 @ squares.T) for i in (0, 3)]
        return np.concatenate([*turned, spread[..., 6:]], axis=-1)
