"""The one shape of every cost."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Cost(Protocol):
    """The cost (N,) of imagined latents (N, H, T, C) under actions (N, H, 7); lower is better."""

    def __call__(self, latents: NDArray[Any], actions: Array) -> Array: ...
