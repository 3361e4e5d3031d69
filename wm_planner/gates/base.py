"""The one shape of every gate, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.kinds import Kinds
from wm_models.imagination import Handle, Imagination

Array = NDArray[np.float64]

GATES: Kinds[type[Gate]] = Kinds("gate", "wm_planner.gates")


@dataclass(frozen=True)
class Moment:
    """One plan and what it was made of: latents, the measured TCP ``state`` (7,), the ``plan`` (H, 7).

    ``goal_energy`` is the energy from ``now`` to ``goal``. ``before`` is what the plan before was made of; None for the
    first one, or where about one step of the model has not passed since.
    """

    model: Imagination
    now: Handle
    goal: Handle
    state: Array
    goal_energy: float
    plan: Array
    before: tuple[Handle, Array] | None


@dataclass(frozen=True)
class Gate(ABC):
    """A gate is its own configuration. It can only ever turn a plan into a hold."""

    KINDS: ClassVar[Kinds[type[Gate]]] = GATES

    kind: str

    @abstractmethod
    def __call__(self, moment: Moment) -> str:
        """Why the plan is held back, in one sentence, or ""."""
