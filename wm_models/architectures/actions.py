"""From 7-D actions and states in SI units to the numbers that a model was trained on.

Models of other robots and simulators know fewer dimensions, in another order, z-scored, and several of them at a time:
one step of theirs is a block of ``frameskip`` sub-actions. Here such a block is made of equal shares of one action.
Sharing Euler angles out is exact about one axis, and to second order in the angle about several.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wm_core.errors import ConfigError
from wm_core.pose import STATE_DIM


@dataclass(frozen=True)
class ActionMap:
    """What a model knows of an action; by default all of it, as it is.

    ``dims``: indices into the 7-D action, in the model's order. ``frameskip``: sub-actions in one step. ``mean`` and
    ``std``: of one sub-action over the training data, one number for each of ``dims``, in m, rad and gripper closedness
    (where the data had other units, convert them). Raises ConfigError where these make no sense.
    """

    dims: tuple[int, ...] = tuple(range(STATE_DIM))
    frameskip: int = 1
    mean: tuple[float, ...] = (0.0,) * STATE_DIM
    std: tuple[float, ...] = (1.0,) * STATE_DIM

    def __post_init__(self) -> None:
        _check("action", self.dims, self.mean, self.std)
        if self.frameskip < 1:
            raise ConfigError(f"frameskip = {self.frameskip} must be at least 1")

    @property
    def size(self) -> int:
        """How many numbers the model takes for one step."""
        return self.frameskip * len(self.dims)


@dataclass(frozen=True)
class ProprioMap:
    """What a model knows of the arm's state; the fields are those of :class:`ActionMap`.

    Angles are handed over as they are: a gripper that points down sits on the seam of roll at +-pi.
    """

    dims: tuple[int, ...] = tuple(range(STATE_DIM))
    mean: tuple[float, ...] = (0.0,) * STATE_DIM
    std: tuple[float, ...] = (1.0,) * STATE_DIM

    def __post_init__(self) -> None:
        _check("proprio", self.dims, self.mean, self.std)

    @property
    def size(self) -> int:
        """How many numbers the model takes for one state."""
        return len(self.dims)


class ActionAdapter(nn.Module):
    """Action (..., 7) in SI units to the model's action (..., A), A = ``ActionMap.size``: the z-scored block.

    Sub-actions follow one another, each with all of its dimensions. All of it is computed in float32, whatever the
    precision of the module that it is part of: rounded to bfloat16, half a metre would be 2 mm off.
    """

    index: Tensor
    centre: Tensor
    width: Tensor

    def __init__(self, actions: ActionMap) -> None:
        super().__init__()
        share, repeat = actions.frameskip, actions.frameskip
        # a / f - mean, over std, as one subtraction and one division. Not by a torch factory function: a module that
        # is built on the meta device has these numbers all the same.
        columns = {
            "index": np.tile(np.asarray(actions.dims, np.int64), repeat),
            "centre": np.tile(np.asarray(actions.mean) * share, repeat).astype(np.float32),
            "width": np.tile(np.asarray(actions.std) * share, repeat).astype(np.float32),
        }
        for name, column in columns.items():
            self.register_buffer(name, torch.from_numpy(column), persistent=False)

    def forward(self, actions: Tensor) -> Tensor:
        return (actions.float().index_select(-1, self.index) - self.centre) / self.width

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Go to another device, but keep the numbers and their types."""
        kept = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, column in kept.items():
            moved = self._buffers[name]
            assert column is not None and moved is not None
            self._buffers[name] = column.to(moved.device)
        return self


class ProprioAdapter(ActionAdapter):
    """State (..., 7) in SI units to the model's z-scored state (..., P), P = ``ProprioMap.size``."""

    def __init__(self, proprio: ProprioMap) -> None:
        super().__init__(ActionMap(proprio.dims, 1, proprio.mean, proprio.std))


def _check(what: str, dims: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if not dims or len(set(dims)) != len(dims) or not all(0 <= d < STATE_DIM for d in dims):
        raise ConfigError(f"{what} dims {list(dims)} must be different indices from 0 to {STATE_DIM - 1}, at least one")
    if not len(mean) == len(std) == len(dims):
        raise ConfigError(
            f"{what} mean and std must have one number for each of the {len(dims)} dims, not {len(mean)} and {len(std)}"
        )
    if not all(map(math.isfinite, mean)) or not all(0.0 < s < math.inf for s in std):
        raise ConfigError(f"{what} mean {list(mean)} must be finite and std {list(std)} positive")
