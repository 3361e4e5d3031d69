"""Small analytic world models to plan with, friendly and hostile."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from wm_models.imagination import Imagination

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


class Additive(Imagination):
    """The latent (1, 7) is a sum of actions, and the energy the mean squared distance. Keeps what it was asked."""

    def __init__(self, axes=None, **spec) -> None:
        super().__init__(Spec(**spec), (1, 7), axes)
        self.asked: list[tuple[np.ndarray, np.ndarray]] = []

    def take(self, latent):
        return np.asarray(latent, dtype=np.float32)

    def show(self, latent):
        return latent

    def imagine(self, now, state, actions):
        self.asked.append((state.copy(), actions.copy()))
        return (now + np.cumsum(actions, axis=1)[:, :, None, :]).astype(np.float32)

    def energy(self, latents, goal):
        return np.square(latents - goal).mean(axis=(-2, -1))

    def distance(self, now, goal):
        return float(Additive.energy(self, now, goal))

    def _price(self, now, state, actions, goal, terms):
        latents = self.imagine(now, state, actions)
        return {name: self.energy(latents, goal) for name in terms}

    def _foresee(self, now, state, actions):
        return self.imagine(now, state, actions[None])[0, -1]

    def info(self):
        return {"backend": "additive"}


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
        self.mood, self._rng = mood, np.random.default_rng(0)

    def imagine(self, now, state, actions):
        if self.mood == "raise":
            raise ValueError("no")
        latents = super().imagine(now, state, actions)
        if self.mood == "scribble":
            actions *= 1e3
            state += 1.0
        return latents[:, 1:] if self.mood == "shape" else latents

    def energy(self, latents, goal):
        energies = super().energy(latents, goal)
        noise = self._rng.normal(size=energies.shape)
        return {
            "random": noise,
            "nan": np.full_like(noise, np.nan),
            "some nan": np.where(noise < 0.5, [np.nan, -np.inf][int(np.sum(noise) > 0)], noise),
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
def hostile():
    return Hostile


@pytest.fixture(scope="session")
def action_range():
    return Range


@pytest.fixture
def state():
    """In the middle of the default box, tool pointing straight down, gripper half closed."""
    return np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.2, 0.5])
