"""Hold where the world did something else than the model foresaw (violation of expectation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_core.errors import ConfigError
from wm_core.pose import difference

from .base import Gate, Moment


@dataclass(frozen=True)
class Surprise(Gate):
    """``most``: energy between what is seen and what was foreseen for the motion measured since the last plan.

    A model's energies have a scale of their own: look at what it says of runs that went well first.
    """

    kind: str = "surprise"
    most: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.most < np.inf:
            raise ConfigError(f"most = {self.most} must be a finite number, at least 0")

    def __call__(self, moment: Moment) -> str:
        """See :class:`Gate`."""
        if moment.before is None:
            return ""
        latent, state = moment.before
        found = moment.model.surprise(latent, state, difference(state, moment.state)[None], moment.now)
        if found <= self.most:
            return ""
        return f"the model did not expect what the camera sees: surprise {found:.3g}, and {self.most:g} is allowed"


KIND = Surprise
