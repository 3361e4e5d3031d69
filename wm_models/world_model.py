"""The world model of a bundle: encode frames, roll latents forward under actions, measure distances to a goal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core import pose
from wm_core.errors import BundleError

from .backends import Backend, BackendError, load_part
from .bundle import Bundle, BundleSpec
from .parts import NEEDED, declared
from .preprocess import preprocess

Float32 = NDArray[np.float32]


class WorldModel:
    """Encoder and predictor of one bundle on one back end.

    Args:
        bundle: a loaded bundle.
        backend: the name of the back end, and its options if any: see :func:`wm_models.backends.load_part`.
        threads: threads for each graph. One is the default, because the camera, the encoder, the planner and a
            50 Hz controller share the cores; give the planner more where the machine has them.
        parts: which graphs to load; a node that only encodes or only plans needs only one.
        memory_mb: the predictor is run on so many candidates at a time that their windows fit into this.

    Raises BundleError where a graph is not what the bundle says, BackendError where the back end cannot be had.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: str = "onnxruntime",
        threads: int = 1,
        parts: Sequence[str] = NEEDED,
        memory_mb: float = 1024.0,
    ) -> None:
        if not parts or not set(parts) <= set(NEEDED):
            raise ValueError(f"parts must be 'encoder', 'predictor' or both, not {list(parts)}")
        if not memory_mb > 0.0:
            raise BackendError(f"memory_mb = {memory_mb} must be positive")
        self.spec: BundleSpec = bundle.spec
        self._parts: dict[str, Backend] = {}
        self._memory_bytes = memory_mb * 2**20
        try:
            for part in parts:
                self._parts[part] = load_part(backend, bundle, part, threads=threads)
            if "predictor" in parts and self.spec.history != 1 and not self._windowed:
                raise BundleError(
                    f"the bundle {self.spec.name} has history {self.spec.history}, but its predictor takes one frame; "
                    "export the bundle again"
                )
        except BaseException:
            self.close()
            raise

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(tokens, channels) of one latent."""
        return self.spec.latent.tokens, self.spec.latent.channels

    def encode(self, frames: NDArray[np.uint8]) -> Float32:
        """RGB frames uint8 ``(B, H, W, 3)`` of any size to latents float32 ``(B, T, C)``. Raises ValueError."""
        return self._part("encoder").infer({"image": preprocess(frames, self.spec.preprocess)})["latent"]

    def rollout(self, latent: ArrayLike, state: ArrayLike, actions: ArrayLike) -> tuple[Float32, pose.Array]:
        """Imagine N candidate action sequences of H steps, all from the same start.

        Args:
            latent: the current latent ``(T, C)``.
            state: the current state ``(7,)``, in the bundle's pose frame; see :mod:`wm_core.pose`.
            actions: ``(N, H, 7)``.

        Returns:
            Latents float32 ``(N, H, T, C)`` and states float64 ``(N, H, 7)`` after each step; the latents are a view,
            not contiguous. Where the predictor does not predict states, actions are integrated exactly.

        Raises ValueError where an input has another shape or kind, or is not finite. What the predictor returns is
        not checked here: a latent that is not finite has an energy that is not finite.
        """
        self._part("predictor")
        start = finite("latent", latent, self.latent_shape)
        origin = finite("state", state, (pose.STATE_DIM,), np.float64)
        moves = finite("actions", actions, (None, None, pose.STATE_DIM), np.float64)
        samples, horizon = moves.shape[:2]
        # Steps first: what a step writes, and the next one reads, then lies together.
        latents = np.empty((horizon + 1, samples, *start.shape), dtype=np.float32)
        states = np.empty((horizon + 1, samples, pose.STATE_DIM))
        latents[0], states[0] = start, origin
        chunk = self.chunk(horizon)
        for first in range(0, samples, chunk):
            part = slice(first, first + chunk)
            for step in range(horizon):
                self._predict(latents[:, part], states[:, part], moves[part], step)
        return np.moveaxis(latents[1:], 0, 1), np.moveaxis(states[1:], 0, 1)

    def _predict(self, latents: Float32, states: pose.Array, moves: pose.Array, step: int) -> None:
        """Fill in what follows ``step``: latents (H+1, n, T, C) and states (H+1, n, 7) from actions (n, H, 7)."""
        if self._windowed:
            window = slice(max(0, step + 1 - self.spec.history), step + 1)
            inputs = {
                "latents": latents[window].swapaxes(0, 1),
                "states": states[window].swapaxes(0, 1),
                "actions": moves[:, window],
            }
        else:
            inputs = {"latent": latents[step], "state": states[step], "action": moves[:, step]}
        wanted = self._part("predictor").io.inputs
        out = self._part("predictor").infer(
            {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in inputs.items() if name in wanted}
        )
        latents[step + 1] = out["next_latent"]
        states[step + 1] = out["next_state"] if "next_state" in out else pose.integrate(states[step], moves[:, step])

    def chunk(self, horizon: int) -> int:
        """How many candidates to run at a time: their windows, what the predictor returns, and its own copy of both."""
        (tokens, channels), window = self.latent_shape, min(horizon, self.spec.history)
        return max(1, int(self._memory_bytes // (2 * (window + 1) * tokens * channels * 4)))

    def energy(self, latents: ArrayLike, goal: ArrayLike) -> Float32:
        """Distance of latents ``(..., T, C)`` to a goal ``(T, C)``, float32 ``(...)``: mean |d| or d squared.

        Raises ValueError on another shape or kind, or a goal that is not finite.
        """
        target = finite("goal", goal, self.latent_shape)
        z = np.asarray(latents)
        if z.dtype != np.float32 or z.shape[-2:] != target.shape:
            raise ValueError(f"latents must be float32 of shape (..., T, C), T, C = {target.shape}, not {z.shape}")
        d = z - target
        if self.spec.energy == "l1":
            np.abs(d, out=d)
        else:
            np.square(d, out=d)
        return d.mean(axis=(-2, -1))

    def info(self) -> dict[str, dict[str, Any]]:
        """For each loaded part what runs it: back end, version, threads and the precision it computes in."""
        return {part: backend.info() for part, backend in self._parts.items()}

    def close(self) -> None:
        """Free the back ends."""
        for backend in self._parts.values():
            backend.close()

    def _part(self, part: str) -> Backend:
        if part not in self._parts:
            raise ValueError(f"this WorldModel was loaded without its {part}")
        return self._parts[part]

    @property
    def _windowed(self) -> bool:
        """Whether the predictor looks at a window of frames."""
        return declared("predictor").form(self._parts["predictor"].io.inputs).windowed


def finite(name: str, value: ArrayLike, shape: tuple[int | None, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """The value as a contiguous array of ``dtype``. Raises ValueError on another shape or kind, NaN or infinity."""
    array = np.asarray(value)
    if array.dtype.kind != "f":
        raise ValueError(f"{name} must hold floating-point numbers, not {array.dtype}")
    if len(array.shape) != len(shape) or any(w not in (None, h) for w, h in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused below
        array = np.ascontiguousarray(array, dtype=dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return array
