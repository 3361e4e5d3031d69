"""The cross-entropy method of V-JEPA 2-AC (arXiv 2506.09985, facebookresearch/vjepa2, MIT), all on one device.

An iteration draws from noise that lies ready, brings the candidates into range, imagines them chunk by chunk, keeps
nothing of a chunk but its energies, and refits mean and standard deviation to the elites. It works on tensors that stay
where they are and never asks the host, so that the same function runs eagerly and as a CUDA graph.
On an H100 both gave the same numbers, bit for bit (docs/results.md). On the CPU the tests run the function that the
graph captures.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from wm_core.errors import BundleError, one_line
from wm_core.pose import STATE_DIM

from ..architectures.vjepa2_ac import integrate
from ..backends.base import BackendError
from ..bundle import BundleSpec
from . import Bounds, SearchConfig

Array = NDArray[np.float64]

GRIPPER = STATE_DIM - 1
#: How many tensors of the size of a layer's largest output are alive at once in a block: input, norm, hidden, GELU.
_ALIVE = 4


@dataclass(frozen=True)
class Found:
    """What a search ended with; every number is finite.

    ``mean`` and ``std`` (H, 7) of the last fit; the gripper of the mean is 0 inside the dead zone, or one of the
    model's levels. ``elites`` (K, H, 7) of the last iteration, best first, with their ``energies`` (K,); K is smaller
    than asked for where the model returned too few finite energies, down to 0.
    """

    mean: Array
    std: Array
    elites: Array
    energies: Array
    #: Energies (iterations, samples) of all candidates; +inf where the model's was not finite.
    history: Array


class DeviceSearch:
    """Searches the actions that bring one predictor's latent nearest to a goal's. Not thread-safe.

    Args:
        predictor: one of :mod:`wm_models.architectures`. With its ``cache`` and ``step``, if it has them, earlier steps
            are not computed again. It is converted to the configured device and precision in place.
        spec: the bundle's: action range, latent shape, energy, history.
        config: see :class:`SearchConfig`.
        bounds: see :class:`Bounds`.
        threads: CPU threads, where it runs on the CPU.

    Raises BackendError where the device cannot be had or the model fails on it, BundleError where the model returns
    another latent than the spec says.
    """

    def __init__(
        self,
        predictor: nn.Module,
        spec: BundleSpec,
        config: SearchConfig | None = None,
        bounds: Bounds | None = None,
        threads: int = 1,
    ) -> None:
        self.config = c = SearchConfig() if config is None else config
        self.spec, self._bounds, self._threads = spec, Bounds() if bounds is None else bounds, threads
        self._device = torch.device(c.device)
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"PyTorch finds no GPU for the search on '{c.device}'; set device: cpu")
        self._graph: torch.cuda.CUDAGraph | None = None
        with self._session():
            self._rollout = Rollout(predictor.to(self._device, getattr(torch, c.precision)).eval(), spec.history)
            self._range()
            self._buffers()
            self._chunk = self._fitting_chunk()

    def plan(
        self,
        latent: ArrayLike,
        goal: ArrayLike,
        state: ArrayLike,
        *,
        mean: ArrayLike | None = None,
        position: ArrayLike | None = None,
        noise: ArrayLike | None = None,
    ) -> Found:
        """One whole search; equal queries give equal answers.

        Args:
            latent, goal: (T, C).
            state: (7,) in the bundle's pose frame.
            mean: (H, 7) to begin around, with ``warm_std`` times the standard deviation where that is above 0; None:
                standing still.
            position: (3,) in metres, that which the box is about, if it is not the state's own; a turn moves the two
                differently, which is not accounted for.
            noise: (iterations, samples, H, 7) standard normal numbers in place of the seeded ones.

        Raises ValueError on another shape or a number that is not finite, BackendError where the device fails.
        """
        c, shape = self.config, (self.config.horizon, STATE_DIM)
        warm = mean is not None and c.warm_std > 0.0
        with self._session():
            self._ready()
            self._load(latent, goal, state, position)
            start = self._given("mean", np.zeros(shape) if mean is None else mean, shape)
            self._mean.copy_(self._feasible(start[None])[0])
            self._std.copy_(self._initial_std * (c.warm_std if warm else 1.0))
            draws = self._noise
            if noise is not None:
                draws = self._given("noise", noise, (c.iterations, c.samples, *shape))
            history = []
            for draw in draws:
                self._draw.copy_(draw)
                if self._graph is None:
                    self._iterate()
                else:
                    self._graph.replay()
                history.append(self._energies.clone())
            return self._found(torch.stack(history))

    def energy(self, latent: ArrayLike, goal: ArrayLike, state: ArrayLike, actions: ArrayLike) -> Array:
        """Energies (N,) to the goal after actions (N, any H, 7), taken as they are. Raises as :meth:`plan`."""
        with self._session():
            self._load(latent, goal, state)
            return _to_host(self._score(self._given("actions", actions, (None, None, STATE_DIM))))

    def imagine(self, latent: ArrayLike, state: ArrayLike, actions: ArrayLike) -> NDArray[np.float32]:
        """Latents (N, T, C) after actions (N, any H, 7). Raises as :meth:`plan`."""
        with self._session():
            self._load(latent, np.zeros(self._goal.shape), state)
            moves = self._given("actions", actions, (None, None, STATE_DIM))
            parts = [self._rollout(self._latent, self._state, part).cpu() for part in moves.split(self._chunk)]
            return torch.cat(parts).numpy()

    def warmup(self) -> None:
        """One iteration on zeros, or the capture of the CUDA graph, so that the first search is not the slow one."""
        with self._session():
            self._ready()
            self._iterate()

    def info(self) -> dict[str, Any]:
        """What runs, and how: device, precision really computed in, way of imagining, candidates per chunk."""
        gpu = self._device.type == "cuda"
        return {
            "backend": "torch",
            "version": torch.__version__,
            "device": f"{torch.cuda.get_device_name(self._device)} ({self._device})" if gpu else "cpu",
            "threads": self._threads,
            "precision": self._rollout.precision,
            "rollout": self._rollout.way(self.config.horizon),
            "samples": self.config.samples,
            "iterations": self.config.iterations,
            "horizon": self.config.horizon,
            "chunk": self._chunk,
            "cuda_graph": self.config.cuda_graph,
        }

    def close(self) -> None:
        """Free the graph; the predictor belongs to the caller."""
        self._graph = None

    # One iteration. Whatever is below runs inside the CUDA graph: no branch on a value, nothing that waits for one.

    def _iterate(self) -> None:
        """From ``_mean``, ``_std`` and ``_draw`` to ``_energies``, ``_elites`` and the next mean and deviation."""
        c = self.config
        actions = self._feasible(self._mean + self._std * self._draw)
        energies = self._score(actions)
        energies = torch.where(energies.isfinite(), energies, torch.inf)
        best, index = torch.topk(energies, c.elites, largest=False)
        elites = actions.index_select(0, index)
        # An elite without a finite energy is none: with fewer than two of them nothing is known about the spread.
        counts = best.isfinite().to(actions.dtype)[:, None, None]
        count = counts.sum()
        centre = (counts * elites).sum(0) / count.clamp(min=1.0)
        spread = ((counts * (elites - centre) ** 2).sum(0) / (count - 1.0).clamp(min=1.0)).sqrt()
        mean = self._keep_mean * self._mean + (1.0 - self._keep_mean) * centre
        std = self._keep_std * self._std + (1.0 - self._keep_std) * spread
        self._mean.copy_(torch.where(count > 0.0, mean, self._mean))
        self._std.copy_(torch.where(count > 1.0, std, self._std))
        self._energies.copy_(energies)
        self._elites.copy_(elites)
        self._best.copy_(best)

    def _feasible(self, actions: Tensor) -> Tensor:
        """Actions (N, H, 7) in the model's range, then shortened and clipped into the bounds."""
        bounds = self._bounds
        actions = torch.minimum(torch.maximum(actions, self._low), self._high)
        xyz, turn, gripper = actions.split([3, 3, 1], -1)
        if self._levels is not None:
            gripper = self._levels[torch.bucketize(gripper.contiguous(), self._middles)]
        if bounds.step_m is not None:
            xyz = _shorten(xyz, bounds.step_m)
        if bounds.turn_rad is not None:
            turn = _shorten(turn, bounds.turn_rad)
        if self._box is not None:
            xyz = self._into_box(xyz, *self._box)
        return torch.cat([xyz, turn, gripper], -1)

    def _into_box(self, steps: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Steps (N, H, 3) whose positions stay in the box; from outside of it the way back is open, the way out not."""
        position, kept = self._position, []
        for step in steps.unbind(1):
            target = torch.maximum(position + step, torch.minimum(low, position))
            target = torch.minimum(target, torch.maximum(high, position))
            kept.append(target - position)
            position = target
        return torch.stack(kept, 1)

    def _score(self, actions: Tensor) -> Tensor:
        """Energies (N,) of actions (N, H, 7), chunk by chunk: the latents of all would not fit."""
        return torch.cat([self._distance(part) for part in actions.split(self._chunk)])

    def _distance(self, actions: Tensor) -> Tensor:
        away = self._rollout(self._latent, self._state, actions) - self._goal
        return (away.abs() if self.spec.energy == "l1" else away.square()).mean((-2, -1))

    # Everything else.

    def _range(self) -> None:
        """The action range and the bounds as tensors."""
        c, action, bounds = self.config, self.spec.action, self._bounds
        self._low, self._high = self._tensor(action.low), self._tensor(action.high)
        half = (np.array(action.high) - np.array(action.low)) / 2
        std = c.initial_std * half
        std[GRIPPER] = c.initial_std_gripper if half[GRIPPER] > 0.0 else 0.0
        self._initial_std = self._tensor(std)
        self._keep_mean = self._tensor([c.momentum_mean] * GRIPPER + [c.momentum_mean_gripper])
        self._keep_std = self._tensor([c.momentum_std] * GRIPPER + [c.momentum_std_gripper])
        self._levels: Tensor | None = None
        if action.gripper_levels is not None and half[GRIPPER] > 0.0:
            self._levels = self._tensor(np.unique([*action.gripper_levels, 0.0]))
            self._middles = (self._levels[1:] + self._levels[:-1]) / 2
        self._box: tuple[Tensor, Tensor] | None = None
        if bounds.box_min_m is not None and bounds.box_max_m is not None:
            self._box = self._tensor(bounds.box_min_m), self._tensor(bounds.box_max_m)

    def _buffers(self) -> None:
        """All that an iteration reads and writes, at addresses that never change."""
        c, latent = self.config, (self.spec.latent.tokens, self.spec.latent.channels)
        self._latent, self._goal = self._zeros(1, *latent), self._zeros(*latent)
        self._state, self._position = self._zeros(1, STATE_DIM), self._zeros(1, 3)
        self._draw = self._zeros(c.samples, c.horizon, STATE_DIM)
        self._mean, self._std = self._zeros(c.horizon, STATE_DIM), self._zeros(c.horizon, STATE_DIM)
        self._energies, self._best = self._zeros(c.samples), self._zeros(c.elites)
        self._elites = self._zeros(c.elites, c.horizon, STATE_DIM)
        # From the host's generator, so that every device draws the same.
        generator = torch.Generator().manual_seed(c.seed)
        shape = (c.iterations, c.samples, c.horizon, STATE_DIM)
        self._noise = torch.randn(shape, generator=generator).to(self._device)

    def _fitting_chunk(self) -> int:
        """How many candidates to imagine at a time, from one that is imagined here; equal chunks, as near as can be."""
        actions = self._zeros(1, self.config.horizon, STATE_DIM)
        latent, size = self._rollout.measure(self._latent, self._state, actions)
        if latent.shape != self._latent.shape:
            raise BundleError(
                f"the predictor of {self.spec.name} returns latents of the shape {tuple(latent.shape[1:])}, not "
                f"{tuple(self._goal.shape)}; export the bundle again"
            )
        fits = max(1, int(self.config.memory_mb * 2**20 // size))
        return math.ceil(self.config.samples / math.ceil(self.config.samples / fits))

    def _ready(self) -> None:
        if self.config.cuda_graph and self._graph is None:
            self._graph = self._capture()

    def _capture(self) -> torch.cuda.CUDAGraph:
        """An iteration as a graph over the buffers, whose contents it spoils."""
        try:
            # Libraries choose kernels and allocate at their first calls, which a capture does not allow.
            here, side = torch.cuda.current_stream(), torch.cuda.Stream()
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(2):
                    self._iterate()
            here.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            # Thread local: what other threads do with the GPU meanwhile does not end the capture.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._iterate()
            return graph
        except RuntimeError as error:
            raise BackendError(
                f"the search cannot be captured as a CUDA graph ({one_line(error)}); set cuda_graph: false"
            ) from None

    def _found(self, history: Tensor) -> Found:
        mean, std, elites, best = map(_to_host, (self._mean, self._std, self._elites, self._best))
        low, high = np.array(self.spec.action.low), np.array(self.spec.action.high)
        # In float32 a bound may be a hair wider than the bound itself.
        mean, elites = np.clip(mean, low, high), np.clip(elites, low, high)[np.isfinite(best)]
        gripper = mean[:, GRIPPER]
        if self._levels is not None:
            gripper[:] = _to_host(self._levels)[np.searchsorted(_to_host(self._middles), gripper)]
        elif low[GRIPPER] < high[GRIPPER]:
            gripper[np.abs(gripper) < self.config.dead_zone] = 0.0
        return Found(mean, std, elites, best[np.isfinite(best)], _to_host(history))

    def _load(self, latent: ArrayLike, goal: ArrayLike, state: ArrayLike, position: ArrayLike | None = None) -> None:
        latent_shape = tuple(self._goal.shape)
        self._latent.copy_(self._given("latent", latent, latent_shape))
        self._goal.copy_(self._given("goal", goal, latent_shape))
        self._state.copy_(self._given("state", state, (STATE_DIM,)))
        self._position.copy_(self._state[:, :3] if position is None else self._given("position", position, (3,)))

    def _given(self, name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> Tensor:
        """A caller's numbers on the device. Raises ValueError on another shape, or if one is not finite."""
        array = np.asarray(value, dtype=np.float32)
        if array.ndim != len(shape) or any(w not in (None, h) for w, h in zip(shape, array.shape, strict=True)):
            raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
        if array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"{name} is empty or holds a number that is not finite")
        return self._tensor(array)

    def _tensor(self, values: ArrayLike) -> Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self._device)

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, device=self._device)

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """On the device, without gradients, with the errors of torch as BackendErrors."""
        gpu = self._device.type == "cuda"
        if not gpu and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # of this thread; a back end may have set it to its own
        try:
            with torch.inference_mode(), torch.cuda.device(self._device) if gpu else contextlib.nullcontext():
                yield
        except torch.cuda.OutOfMemoryError:
            raise BackendError(
                f"the GPU has too little memory; lower memory_mb = {self.config.memory_mb} of the search"
            ) from None
        except RuntimeError as error:
            raise BackendError(f"the search failed on {self._device}: {one_line(error)}") from None


class Rollout:
    """Imagines candidates with whichever way a predictor offers, and returns the last latent only.

    With cached keys and values (``cache`` and ``step``) while the steps fit the model's history; else over windows of
    frames, which slide; else frame by frame. ``predictor`` has its device and precision already.
    """

    def __init__(self, predictor: nn.Module, history: int) -> None:
        self._predictor: Any = predictor
        self._history = history
        self._cached = hasattr(predictor, "step") and hasattr(predictor, "cache")
        self._windowed = "latents" in inspect.signature(predictor.forward).parameters
        kinds = {p.dtype for p in (*predictor.parameters(), *predictor.buffers()) if p.is_floating_point()}
        self.precision = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds)) or "float32"
        # A predictor with steps takes float32 whatever its weights, and keeps more of it than a cast here would.
        self._dtype = kinds.pop() if len(kinds) == 1 and not self._cached else torch.float32

    def __call__(self, latent: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        """Latent (1, T, C), state (1, 7), actions (N, H, 7) -> latents (N, T, C) after the last step, float32."""
        ways: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
            "cache": self._by_cache,
            "windows": self._by_windows,
            "frames": self._by_frames,
        }
        return ways[self.way(actions.shape[1])](latent, state.expand(len(actions), -1), actions).float()

    def way(self, horizon: int) -> str:
        """How that many steps are imagined: "cache", "windows" or "frames"."""
        if self._cached and horizon <= self._history:
            return "cache"
        return "windows" if self._windowed else "frames"

    def measure(self, latent: Tensor, state: Tensor, actions: Tensor) -> tuple[Tensor, int]:
        """:meth:`__call__`, and an estimate of the bytes that one candidate of such actions takes."""
        largest = 0

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            nonlocal largest
            for tensor in output if isinstance(output, tuple) else (output,):
                largest = max(largest, tensor.nbytes if isinstance(tensor, Tensor) else 0)

        hooks = [module.register_forward_hook(note) for module in self._predictor.modules()]
        try:
            out = self(latent, state, actions)
        finally:
            for hook in hooks:
                hook.remove()
        horizon = actions.shape[1]
        # The window, the next latent, and its difference to the goal.
        size = _ALIVE * largest + (min(horizon, self._history) + 2) * latent.nbytes
        if self.way(horizon) == "cache" and horizon > 1:
            size += self._predictor.cache(1, horizon).memory.nbytes
        return out, size

    def _by_cache(self, latent: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        samples, horizon = actions.shape[:2]
        cache = self._predictor.cache(samples, horizon) if horizon > 1 else None
        for k, action in enumerate(actions.unbind(1)):
            # The first latent is one for all: what the model does with it alone is done once.
            latent, cache = self._predictor.step(latent, state, action, cache)
            if k + 1 < horizon:
                state = integrate(state, action)
        return latent

    def _by_windows(self, latent: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        latents, states = latent.expand(len(actions), -1, -1)[:, None], state[:, None]
        for k in range(actions.shape[1]):
            window = actions[:, max(0, k + 1 - self._history) : k + 1]
            last = self._predictor(latents.to(self._dtype), states.to(self._dtype), window.to(self._dtype))
            if k + 1 < actions.shape[1]:
                room = 1 - self._history if self._history > 1 else latents.shape[1]
                moved = integrate(states[:, -1], actions[:, k])
                latents = torch.cat([latents[:, room:], last.float()[:, None]], 1)
                states = torch.cat([states[:, room:], moved[:, None]], 1)
        return last

    def _by_frames(self, latent: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        latent = latent.expand(len(actions), -1, -1)
        for action in actions.unbind(1):
            out = self._predictor(latent.to(self._dtype), state.to(self._dtype), action.to(self._dtype))
            latent, state = out if isinstance(out, tuple) else (out, integrate(state, action))
        return latent


def _shorten(vectors: Tensor, longest: float) -> Tensor:
    """Vectors (..., 3) of at most that length."""
    length = vectors.norm(dim=-1, keepdim=True)
    return vectors * (longest / length.clamp(min=max(longest, 1e-12)))


def _to_host(tensor: Tensor) -> Array:
    return tensor.double().cpu().numpy()
