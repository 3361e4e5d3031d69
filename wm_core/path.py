"""The poses that a sequence of actions commands, integrated from the measured state and never from a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pose import FLANGE_FROM_HAND_TCP_M_RAD, GRIPPER, STATE_DIM, compose, difference, integrate, invert

Array = NDArray[np.float64]

_HAND_TCP_FROM_FLANGE = invert(FLANGE_FROM_HAND_TCP_M_RAD)


def samples_fastest(samples: int, steps: int) -> Array:
    """An uninitialised array (samples, steps, 7) whose first axis is contiguous in memory.

    Candidates are many and everything else is few: numpy then loops over the candidates inside and not outside, which
    makes the guardrails several times faster. Nothing depends on it but speed.
    """
    return np.empty((steps, STATE_DIM, samples)).transpose(2, 0, 1)


def integrate_path(state: ArrayLike, actions: Array) -> Array:
    """States (N, H+1, 7) commanded by actions (N, H, 7) from one measured state (7,), which is entry 0."""
    samples, horizon, _ = actions.shape
    states = samples_fastest(samples, horizon + 1)
    states[:, 0] = state
    tilting = actions[..., 3:5].any()
    for k in range(horizon):
        if tilting:
            states[:, k + 1] = integrate(states[:, k], actions[:, k])
        else:
            # Extrinsic turns about z only add to the yaw (R' = Rz R): the same rotation, without any matrices.
            np.add(states[:, k], actions[:, k], out=states[:, k + 1])
            states[:, k + 1, GRIPPER] = np.minimum(np.maximum(states[:, k + 1, GRIPPER], 0.0), 1.0)
    return states


def flange_state(state: ArrayLike) -> Array:
    """The state (..., 7) of the flange for a state of the hand TCP; the gripper is kept."""
    s = np.asarray(state, dtype=np.float64)
    return np.concatenate([compose(s[..., :6], _HAND_TCP_FROM_FLANGE), s[..., 6:]], axis=-1)


def flange_actions(states: Array, actions: Array) -> Array:
    """The flange's actions (N, H, 7) along TCP states (N, H+1, 7) that the TCP actions (N, H, 7) command.

    While the tool turns, TCP and flange move by different amounts; without a turn they move alike.
    """
    if not actions[..., 3:6].any():
        return actions
    path = flange_state(states)
    flange = difference(path[:, :-1], path[:, 1:])
    flange[..., 6] = actions[..., 6]
    return flange
