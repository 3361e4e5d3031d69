"""Tells a camera that resends one picture from a scene in which nothing moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The arm is in the picture: when it has moved this far, no two pictures are alike to the last bit. Ten times the noise
#: of a measured pose, and no further than the arm may safely go blind.
MOVED_M = 0.01


class FrozenCamera:
    """Stamps alone do not tell: some drivers stamp what they resend."""

    def __init__(self) -> None:
        self._latent: NDArray[np.float32] | None = None
        self._position = np.zeros(3)

    def check(self, latent: NDArray[np.float32], position_m: ArrayLike) -> str:
        """Why this latent must not be planned from, in one sentence; "" if nothing is wrong.

        Args:
            latent: (T, C) of the newest frame. An encoder is deterministic: the same picture gives the same latent.
            position_m: (3,) measured TCP at the frame's stamp.
        """
        position = np.asarray(position_m, dtype=np.float64)
        if self._latent is None or not np.array_equal(latent, self._latent):
            self._latent, self._position = latent, position
            return ""
        moved_m = float(np.linalg.norm(position - self._position))
        return f"the picture has not changed while the arm moved {1e3 * moved_m:.0f} mm" if moved_m > MOVED_M else ""
