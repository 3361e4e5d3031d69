"""Planning with a model whose axes lie turned: everything outside these wrappers stays in the robot's base frame.

The planner draws, limits and checks its candidates in the true base frame, so nothing about safety depends on a
calibration; only what goes into a model, or comes out of it, is turned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.pose import euler_to_matrix

from .dynamics import Dynamics, Spec
from .optimisers.base import Proposed
from .proposals.base import Proposal, Remembers

Array = NDArray[np.float64]

_YAW = 5


class TurnedModel(Dynamics):
    """A world model whose axes lie turned as ``axes`` says, as one whose axes are those of the base frame.

    A model that was trained with its yaw pinned has seen one yaw only, and gets just that: the measured one, or, where
    the hand is held turned with the axes, the one turned back. Raises ConfigError where the model's range of actions is
    not alike in x and y: turned, it would be another range.
    """

    def __init__(self, model: Dynamics, axes: Axes) -> None:
        self._model, self._axes = model, axes
        low, high = np.asarray(model.spec.action.low, float), np.asarray(model.spec.action.high, float)
        for a, b, names in ((0, 1, "x and y"), (3, 4, "roll and pitch")):
            if len({-low[a], -low[b], high[a], high[b]}) != 1:
                raise ConfigError(f"axes can be turned only for a model whose actions have one range in {names}")
        self.turn_yaw = axes.turned_hand or bool(low[_YAW] < high[_YAW])

    @property
    def spec(self) -> Spec:
        return self._model.spec

    @property
    def latent_shape(self) -> tuple[int, int]:
        return self._model.latent_shape

    def rollout(
        self, latent: NDArray[Any], state: NDArray[Any], actions: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """As :meth:`Dynamics.rollout`, in the base frame."""
        latents, states = self._model.rollout(
            latent, self._axes.state_to_model(state, self.turn_yaw), self._axes.actions_to_model(actions)
        )
        return latents, self._axes.state_to_base(states, self.turn_yaw)

    def energy(self, latents: NDArray[Any], goal: NDArray[Any]) -> NDArray[Any]:
        """As :meth:`Dynamics.energy`: a latent has no axes."""
        return self._model.energy(latents, goal)


class TurnedProposal(Proposal):
    """A proposal of a model whose axes lie turned, as one in the base frame; see :class:`TurnedModel`.

    A proposal that searches within a box of its own sees that box turned as well: it may look a little beside it, and
    the planner projects what it finds.
    """

    def __init__(self, proposal: Proposal, axes: Axes, turn_yaw: bool) -> None:
        self._proposal, self._axes, self._turn_yaw = proposal, axes, turn_yaw

    def propose(self, latent: NDArray[Any], goal: NDArray[Any], state: Array) -> Proposed:
        """See :class:`Proposal`."""
        found = self._proposal.propose(latent, goal, self._axes.state_to_model(state, self._turn_yaw))
        candidates = None if found.candidates is None else self._axes.actions_to_base(found.candidates)
        mean = None if found.mean is None else self._axes.actions_to_base(found.mean)
        return Proposed(candidates, mean, None if found.std is None else self._turned_std(found.std))

    def reset(self) -> None:
        """Forget what was proposed before, where the proposal remembers it."""
        if isinstance(self._proposal, Remembers):
            self._proposal.reset()

    def _turned_std(self, std: Array) -> Array:
        """Standard deviations (H, 7) along the base frame's axes of Gaussians independent along the model's."""
        squares = euler_to_matrix([0.0, 0.0, self._axes.yaw_rad]) ** 2
        turned = [np.sqrt(std[..., i : i + 3] ** 2 @ squares.T) for i in (0, 3)]
        return np.concatenate([*turned, std[..., 6:]], axis=-1)


def turned(model: Dynamics, proposal: Proposal | None, axes: Axes | None) -> tuple[Dynamics, Proposal | None]:
    """What to plan with for a camera whose axes are known; both as they came where nothing is turned."""
    if axes is None or axes.yaw_rad == 0.0:
        return model, proposal
    wrapped = TurnedModel(model, axes)
    return wrapped, None if proposal is None else TurnedProposal(proposal, axes, wrapped.turn_yaw)
