"""The port to a world model's imagination: all that a planner asks of one."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core.axes import Axes
from wm_core.errors import BundleError
from wm_core.pose import STATE_DIM, Array, integrate

from ..backends import Backend
from ..parts import TERM
from ..world_model import finite
from .frames import ModelFrame

#: A latent where the model keeps it. Nothing outside of an imagination looks into one.
Handle = Any
Self = TypeVar("Self", bound="Imagination")

#: The term that every model has: the distance to the goal.
GOAL = "goal"


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


@dataclass(frozen=True)
class Proposed:
    """A start for the search: a guess and how sure it is, or other candidates, or any of them.

    ``actions`` (H, 7) and their standard deviations ``spread`` (H, 7); ``gripper_odds`` (H, levels), each row summing
    to 1; ``candidates`` (K, H, 7) that compete as well. H may differ from the planner's horizon: what is too long is
    cut, what is too short is followed by standing still. Raises ValueError on another shape or a number that is not
    finite.
    """

    actions: Array | None = None
    spread: Array | None = None
    gripper_odds: Array | None = None
    candidates: Array | None = None

    def __post_init__(self) -> None:
        for name, rank, width in (
            ("actions", 2, STATE_DIM),
            ("spread", 2, STATE_DIM),
            ("gripper_odds", 2, None),
            ("candidates", 3, STATE_DIM),
        ):
            value = getattr(self, name)
            if value is not None and (value.ndim != rank or width not in (None, value.shape[-1])):
                raise ValueError(f"the proposal's {name} have the shape {value.shape}, not (..., H, {width})")
            if value is not None and not np.all(np.isfinite(value)):
                raise ValueError(f"the proposal's {name} hold a number that is not finite")


class Parts:
    """The parts of a bundle besides encoder and predictor, each loaded when it is first needed.

    Args:
        load: a part of the bundle by name, checked.
    """

    def __init__(self, load: Callable[[str], Backend]) -> None:
        self._load = load
        self._loaded: dict[str, Backend] = {}

    def need(self, part: str) -> Backend:
        """The part. Raises BundleError where the bundle has none, or another than :mod:`wm_models.parts` declares."""
        if part not in self._loaded:
            self._loaded[part] = self._load(part)
        return self._loaded[part]

    def close(self) -> None:
        """Free the back ends."""
        for backend in self._loaded.values():
            backend.close()


@dataclass(frozen=True)
class _Guess:
    """One answer of a proposal, in the model's frame: actions and spread (H, 7), odds (H, levels) if it gives any."""

    actions: Array
    spread: Array
    odds: Array | None


class Imagination(ABC):
    """Answers a planner's questions about one model. Not thread-safe, but :meth:`take` and :meth:`distance` may run
    beside another call.

    States (7,) and actions (..., 7) are those of the hand's TCP in the robot's base frame, see :mod:`wm_core.pose`,
    whatever frame and axes the model was trained with. Every call raises ValueError on another shape or on a number
    that is not finite, and BackendError where the back end fails.
    """

    def __init__(
        self, spec: Spec, latent_shape: tuple[int, int], axes: Axes | None = None, parts: Parts | None = None
    ) -> None:
        self.spec, self.latent_shape = spec, latent_shape
        self._frame, self._parts = ModelFrame.of(spec, axes), parts

    def with_axes(self: Self, axes: Axes) -> Self:
        """The same model for a camera for which its axes lie otherwise; it shares all that is loaded."""
        other = copy.copy(self)
        other._frame = ModelFrame.of(self.spec, axes)
        return other

    # --- what each has its own way for --------------------------------------------------------------------------------
    @abstractmethod
    def take(self, latent: ArrayLike) -> Handle:
        """Bring a latent (T, C) to where the model lives."""

    @abstractmethod
    def show(self, latent: Handle) -> NDArray[np.float32]:
        """The latent (T, C) of a handle, to be drawn."""

    @abstractmethod
    def distance(self, now: Handle, goal: Handle) -> float:
        """The model's own energy between two latents: 0 where they are the same."""

    @abstractmethod
    def _price(
        self, now: Handle, state: Array, actions: Array, goal: Handle, terms: Sequence[str]
    ) -> Mapping[str, NDArray[Any]]:
        """As :meth:`price`, with state (7,) and actions (N, H, 7) in the model's own frame."""

    @abstractmethod
    def _foresee(self, now: Handle, state: Array, actions: Array) -> Handle:
        """The latent after actions (H, 7), with state and actions in the model's own frame."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """What runs the predictor: back end, version, device, threads, and the precision it computes in."""

    def ready(self, samples: int, horizon: int) -> None:
        """A search of that many candidates is going to be asked for, time and again; do what speeds it up, now."""
        del samples, horizon

    def close(self) -> None:
        """Free what is loaded."""
        if self._parts is not None:
            self._parts.close()

    # --- the five questions -------------------------------------------------------------------------------------------
    def price(
        self, now: Handle, state: ArrayLike, actions: Array, goal: Handle, terms: Sequence[str] = (GOAL,)
    ) -> dict[str, Array]:
        """What candidates lead to: for each of the named terms its value after each step (N, H), which may be NaN.

        Args:
            now, goal: latents.
            state: where the TCP was when ``now`` was seen (7,).
            actions: candidates (N, H, 7).
            terms: "goal" is the energy to the goal; others are parts of the bundle, see :meth:`need_term`.
        """
        start = finite("state", state, (STATE_DIM,), np.float64)
        candidates = finite("actions", actions, (None, None, STATE_DIM), np.float64)
        moves = self._frame.actions(start, candidates)
        found = self._price(now, self._frame.state(start), moves, goal, terms)
        for name in terms:
            if found[name].shape != candidates.shape[:2]:
                raise ValueError(f"the model's {name} has the shape {found[name].shape}, not {candidates.shape[:2]}")
        return {name: found[name].astype(np.float64) for name in terms}

    def foresee(self, now: Handle, state: ArrayLike, actions: ArrayLike) -> Handle:
        """The latent after one candidate's actions (H, 7), to be drawn or to go on from."""
        start = finite("state", state, (STATE_DIM,), np.float64)
        moves = finite("actions", actions, (None, STATE_DIM), np.float64)
        if len(moves) == 0:
            return now
        return self._foresee(now, self._frame.state(start), self._frame.actions(start, moves[None])[0])

    def need_proposal(self) -> None:
        """Load the learned proposal. Raises BundleError where the bundle has none."""
        self._proposal()

    def propose(self, now: Handle, goal: Handle, state: ArrayLike, steps: int = 1) -> Proposed:
        """What the bundle's proposal would do, at least ``steps`` steps of it.

        A proposal of fewer steps is asked again where, by the model's own prediction, its first ones lead. While the
        tool turns, the actions of a flange are only nearly those of the TCP, which is good enough for a start.
        """
        here = self._frame.state(np.asarray(state, dtype=np.float64))
        guesses = [self._guess(now, goal, here)]
        while sum(len(guess.actions) for guess in guesses) < steps:
            done = guesses[-1].actions
            now = self._foresee(now, here, done)
            for action in done:
                here = integrate(here, action)
            guesses.append(self._guess(now, goal, here))
        odds = [guess.odds for guess in guesses if guess.odds is not None]
        return Proposed(
            actions=self._frame.actions_to_base(np.concatenate([guess.actions for guess in guesses])),
            spread=self._frame.spread_to_base(np.concatenate([guess.spread for guess in guesses])),
            gripper_odds=np.concatenate(odds) if len(odds) == len(guesses) else None,
        )

    def subgoal(self, now: Handle, goal: Handle) -> Handle:
        """A latent on the way from ``now`` to ``goal``, by the bundle's ``subgoal`` part.

        Raises BundleError where the bundle has none.
        """
        part = self._need("subgoal")
        return self.take(part.infer({"latent": self._batch(now), "goal": self._batch(goal)})["subgoal"][0])

    def surprise(self, before: Handle, state: ArrayLike, actions: ArrayLike, observed: Handle) -> float:
        """How far what is seen lies from what the model foresaw: the energy to ``observed`` after actions (H, 7).

        The violation of expectation of V-JEPA (arXiv 2502.11831), in the model's own energy.
        """
        done = np.asarray(actions, dtype=np.float64)
        return float(self.price(before, state, done[None], observed)[GOAL][0, -1])

    # --- parts of the bundle ------------------------------------------------------------------------------------------
    def need_term(self, name: str) -> None:
        """Load a term for :meth:`price`. Raises BundleError where the bundle has none of that name."""
        if name != GOAL:
            self._term(name)

    def _term_values(self, name: str, latents: NDArray[Any], goal: Handle) -> NDArray[np.float32]:
        """A term of the bundle for latents (B, T, C), in (B,)."""
        goals = np.ascontiguousarray(np.broadcast_to(self.show(goal), latents.shape))
        return self._term(name).infer({"latent": np.ascontiguousarray(latents), "goal": goals})["value"]

    def _term(self, name: str) -> Backend:
        return self._need(TERM + name)

    def _proposal(self) -> Backend:
        return self._need("proposal")

    def _need(self, part: str) -> Backend:
        if self._parts is None:
            raise BundleError(f"this model has no part '{part}'")
        return self._parts.need(part)

    def _guess(self, now: Handle, goal: Handle, state: Array) -> _Guess:
        inputs = {"latent": self._batch(now), "goal": self._batch(goal), "state": state[None].astype(np.float32)}
        out = {name: array[0].astype(np.float64) for name, array in self._proposal().infer(inputs).items()}
        if out["action"].ndim != 2 or len(out["action"]) == 0 or out["action"].shape != out["log_std"].shape:
            raise ValueError(f"the proposal's action has the shape {out['action'].shape}, not (H, {STATE_DIM})")
        return _Guess(out["action"], np.exp(np.minimum(out["log_std"], 0.0)), out.get("gripper_odds"))

    def _batch(self, latent: Handle) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.show(latent)[None], dtype=np.float32)
