"""Which numbers of a 7-D action or state a model knows, and in which units.

Models of other robots and simulators know fewer dimensions, in another order, z-scored, and several of them at a time:
one step of theirs is a block of ``frameskip`` sub-actions. Here such a block is made of equal shares of one action.
Sharing Euler angles out is exact about one axis, and to second order in the angle about several.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

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


def _check(what: str, dims: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if not dims or len(set(dims)) != len(dims) or not all(0 <= d < STATE_DIM for d in dims):
        raise ConfigError(f"{what} dims {list(dims)} must be different indices from 0 to {STATE_DIM - 1}, at least one")
    if not len(mean) == len(std) == len(dims):
        raise ConfigError(
            f"{what} mean and std must have one number for each of the {len(dims)} dims, not {len(mean)} and {len(std)}"
        )
    if not all(map(math.isfinite, mean)) or not all(0.0 < s < math.inf for s in std):
        raise ConfigError(f"{what} mean {list(mean)} must be finite and std {list(std)} positive")
