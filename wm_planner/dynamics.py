"""What the planner asks of a world model, and nothing more. ``wm_models.world_model.WorldModel`` satisfies it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray


class ActionRange(Protocol):
    """The actions that a model was trained on, in metres, radians and gripper closedness per step."""

    @property
    def low(self) -> Sequence[float]: ...

    @property
    def high(self) -> Sequence[float]: ...

    @property
    def gripper_levels(self) -> Sequence[float] | None: ...


class Spec(Protocol):
    """The part of a bundle's specification that planning depends on."""

    @property
    def step_period_s(self) -> float: ...

    @property
    def pose_frame(self) -> str: ...

    @property
    def action(self) -> ActionRange: ...


class Dynamics(Protocol):
    """A latent world model. T tokens of C channels; poses in the frame that ``spec.pose_frame`` names."""

    @property
    def spec(self) -> Spec: ...

    @property
    def latent_shape(self) -> tuple[int, int]: ...

    def rollout(
        self, latent: NDArray[Any], state: NDArray[Any], actions: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Latent (T, C), state (7,), actions (N, H, 7) to latents (N, H, T, C) and states (N, H, 7)."""
        ...

    def energy(self, latents: NDArray[Any], goal: NDArray[Any]) -> NDArray[Any]:
        """Distance of latents (..., T, C) to a goal (T, C), shape (...); 0 at the goal."""
        ...
