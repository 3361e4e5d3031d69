"""Small analytic world models to plan with, friendly and hostile."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # golden.py

LOW, HIGH = (-0.05,) * 3 + (-0.15,) * 3 + (-0.75,), (0.05,) * 3 + (0.15,) * 3 + (0.75,)


@dataclass(frozen=True)
class Range:
    low: tuple = LOW
    high: tuple = HIGH
    gripper_levels: tuple | None = (-0.75, 0.0, 0.75)


@dataclass(frozen=True)
class Spec:
    step_period_s: float = 0.5
    pose_frame: str = "tcp"
    action: Range = field(default_factory=Range)


class Additive:
    """The latent (1, 7) is a sum of actions, and the energy the mean squared distance. Keeps what it was asked."""

    latent_shape = (1, 7)

    def __init__(self, **spec) -> None:
        self.spec = Spec(**spec)
        self.asked: list[tuple[np.ndarray, np.ndarray]] = []

    def rollout(self, latent, state, actions):
        self.asked.append((state.copy(), actions.copy()))
        return (latent + np.cumsum(actions, axis=1)[:, :, None, :]).astype(np.float32), None

    def energy(self, latents, goal):
        return np.square(np.asarray(latents) - goal).mean(axis=(-2, -1))


class AdditiveStates(Additive):
    """The same with states, which a model keeps in its own axes."""

    def rollout(self, latent, state, actions):
        latents, _ = super().rollout(latent, state, actions)
        return latents, state + np.cumsum(actions, axis=1)


class Hostile(Additive):
    """A model that is wrong in the worst way: its ``mood`` says which."""

    MOODS = (
        "random",
        "nan",
        "some nan",
        "-inf",
        "+inf",
        "huge steps",
        "leave the box",
        "scribble",
        "raise",
        "shape",
        "count",
    )

    def __init__(self, mood: str, **spec) -> None:
        super().__init__(**spec)
        self.mood, self._rng, self._ready = mood, np.random.default_rng(0), False

    def rollout(self, latent, state, actions):
        self._ready = True
        if self.mood == "raise":
            raise ValueError("no")
        latents = super().rollout(latent, state, actions)[0]
        if self.mood == "scribble":
            actions *= 1e3
            state += 1.0
        return (latents[:, 1:] if self.mood == "shape" else latents), None

    def energy(self, latents, goal):
        energies = super().energy(latents, goal)
        if not self._ready or np.ndim(energies) == 0:
            return energies
        noise = self._rng.normal(size=energies.shape)
        return {
            "random": noise,
            "nan": np.full_like(noise, np.nan),
            "some nan": np.where(noise < 0.5, [np.nan, -np.inf][int(noise.flat[0] > 0)], noise),
            "-inf": np.full_like(noise, -np.inf),
            "+inf": np.full_like(noise, np.inf),
            "huge steps": -1e30 * energies,
            "leave the box": 1e3 * np.asarray(latents)[..., 0, 2],
            "count": np.zeros(3),
        }.get(self.mood, energies)


@pytest.fixture(scope="session")
def additive():
    return Additive


@pytest.fixture(scope="session")
def additive_states():
    return AdditiveStates


@pytest.fixture(scope="session")
def hostile():
    return Hostile


@pytest.fixture(scope="session")
def action_range():
    return Range


@pytest.fixture
def state():
    """In the middle of the default box, tool pointing straight down, gripper half closed."""
    return np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
