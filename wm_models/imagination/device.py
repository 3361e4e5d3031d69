"""Imagination with PyTorch, all on one device, for models so large that a plan is mostly matrix products.

Latents, keys and values stay on the device; what comes and goes are actions and energies. Candidates are imagined in
chunks that fit a budget of memory. On a GPU the chunk that a search asks for time and again is captured as a CUDA graph
and replayed, which spares the launches of its kernels: so that it can be, what a chunk runs works on tensors that stay
where they are, and never asks the host. On an H100 both gave the same numbers, bit for bit (docs/results.md); on the
CPU the tests run the function that the graph captures.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from wm_core.axes import Axes
from wm_core.errors import BundleError, ConfigError, one_line
from wm_core.pose import STATE_DIM, Array

from .. import architectures
from ..architectures.vjepa2_ac import integrate
from ..backends.base import BackendError
from ..backends.torch import Options
from ..bundle import Bundle, BundleSpec
from ..world_model import finite
from .base import GOAL, Handle, Imagination, Parts

#: How many tensors of the size of a layer's largest output are alive at once in a block: input, norm, hidden, GELU.
_ALIVE = 4


class DeviceImagination(Imagination):
    """Asks a predictor of :mod:`wm_models.architectures`. A handle is the latent (1, T, C) on the device.

    Args:
        predictor: with its ``cache`` and ``step``, if it has them, earlier steps are not computed again. It is
            converted to the device and precision in place, and belongs to the caller.
        spec: the bundle's: latent shape, energy, history, frame.
        options: the device and precision.
        threads: CPU threads, where it runs on the CPU.
        memory_mb: what a chunk of candidates may take, weights not counted.
        axes, parts: see :class:`Imagination`.

    Raises BackendError where the device cannot be had or the model fails on it, BundleError where the model returns
    another latent than the spec says.
    """

    def __init__(
        self,
        predictor: nn.Module,
        spec: BundleSpec,
        options: Options | None = None,
        threads: int = 1,
        memory_mb: float = 1024.0,
        axes: Axes | None = None,
        parts: Parts | None = None,
    ) -> None:
        super().__init__(spec, (spec.latent.tokens, spec.latent.channels), axes, parts)
        self._options = Options() if options is None else options
        self._energy, self._threads, self._memory_mb = spec.energy, threads, memory_mb
        if not 0.0 < memory_mb < math.inf:
            raise ConfigError(f"memory_mb = {memory_mb} must be positive")
        self._device = torch.device(self._options.device)
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"PyTorch finds no GPU for the device '{self._options.device}'; set device=cpu")
        self._captured: Captured | None = None
        self._sizes: dict[int, int] = {}  # horizon -> bytes that one candidate takes
        with self._session():
            module = predictor.to(self._device, getattr(torch, self._options.precision)).eval()
            self._rollout = Rollout(module, spec.history)
            self._size(1)

    @classmethod
    def load(
        cls, bundle: Bundle, options: Options, threads: int, memory_mb: float, axes: Axes | None, parts: Parts
    ) -> DeviceImagination:
        """That of a bundle's ``predictor.safetensors``. Raises BundleError where it has none."""
        predictor = architectures.load(bundle, "predictor")
        return cls(predictor, bundle.spec, options, threads, memory_mb, axes, parts)

    def take(self, latent: ArrayLike) -> Handle:
        """See :class:`Imagination`."""
        array = finite("latent", latent, self.latent_shape)
        with self._session():
            return torch.tensor(array, device=self._device)[None]

    def show(self, latent: Handle) -> NDArray[np.float32]:
        """See :class:`Imagination`."""
        shown: NDArray[np.float32] = latent[0].float().cpu().numpy()
        return shown

    def distance(self, now: Handle, goal: Handle) -> float:
        """See :class:`Imagination`."""
        with self._session():
            return float(self._distance(now, goal)[0])

    def ready(self, samples: int, horizon: int) -> None:
        """See :class:`Imagination`. On a GPU this captures the chunk as a graph."""
        if self._device.type == "cuda" and self._options.cuda_graph:
            chunk = self._chunk(samples, horizon)
            with self._session():
                self._captured = Captured(self._energies, chunk, horizon, self.latent_shape, self._device)

    def _price(
        self, now: Handle, state: Array, actions: Array, goal: Handle, terms: Sequence[str]
    ) -> Mapping[str, NDArray[Any]]:
        samples, horizon = actions.shape[:2]
        chunk = self._chunk(samples, horizon)
        values: dict[str, list[NDArray[Any]]] = {name: [] for name in terms}
        with self._session():
            start, moves = self._tensor(state[None]), self._tensor(actions)
            others = [name for name in terms if name != GOAL]
            if not others and GOAL in terms and horizon > 0:
                parts = [self._priced(now, start, part, goal) for part in moves.split(chunk)]
                return {GOAL: torch.cat(parts).cpu().numpy()}  # all chunks are under way before the first is waited for
            for part in moves.split(chunk):
                latents = list(self._rollout(now, start, part))
                if GOAL in terms:
                    values[GOAL].append(torch.stack([self._distance(z, goal) for z in latents], 1).cpu().numpy())
                for name in others:
                    found = [self._term_values(name, z.cpu().numpy(), goal) for z in latents]
                    values[name].append(np.stack(found, axis=1))
        return {name: np.concatenate(some) for name, some in values.items()}

    def _priced(self, now: Tensor, state: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        if self._captured is not None and self._captured.fits(actions):
            return self._captured(now, state, actions, goal)
        return self._energies(now, state, actions, goal)

    # What is below runs inside the CUDA graph: no branch on a value, nothing that waits for one.

    def _energies(self, now: Tensor, state: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        """Energies (n, H) after each step of a chunk of actions (n, H, 7)."""
        return torch.stack([self._distance(latents, goal) for latents in self._rollout(now, state, actions)], 1)

    def _distance(self, latents: Tensor, goal: Tensor) -> Tensor:
        away = latents - goal
        return (away.abs() if self._energy == "l1" else away.square()).mean((-2, -1))

    # Everything else.

    def _foresee(self, now: Handle, state: Array, actions: Array) -> Handle:
        with self._session():
            *_, last = self._rollout(now, self._tensor(state[None]), self._tensor(actions[None]))
            return last

    def info(self) -> dict[str, Any]:
        """See :class:`Imagination`; ``rollout`` is the way in which one step is imagined."""
        gpu = self._device.type == "cuda"
        return {
            "backend": "torch",
            "version": torch.__version__,
            "device": f"{torch.cuda.get_device_name(self._device)} ({self._device})" if gpu else "cpu",
            "threads": self._threads,
            "precision": self._rollout.precision,
            "rollout": self._rollout.way(1 if self._captured is None else self._captured.horizon),
            "cuda_graph": self._captured is not None,
        }

    def close(self) -> None:
        """See :class:`Imagination`."""
        super().close()
        self._captured = None

    def _chunk(self, samples: int, horizon: int) -> int:
        """How many candidates to imagine at a time; equal chunks, as near as can be."""
        fits = max(1, int(self._memory_mb * 2**20 // self._size(horizon)))
        return max(1, math.ceil(samples / max(1, math.ceil(samples / fits))))

    def _size(self, horizon: int) -> int:
        """How many bytes a candidate takes, from one that is imagined."""
        if horizon not in self._sizes:
            with self._session():
                zeros = torch.zeros((1, *self.latent_shape), device=self._device)
                actions = torch.zeros((1, horizon, STATE_DIM), device=self._device)
                latent, size = self._rollout.measure(zeros, actions[:, 0], actions)
                if latent.shape != zeros.shape:
                    raise BundleError(
                        f"the predictor returns latents of the shape {tuple(latent.shape[1:])}, not "
                        f"{self.latent_shape}; export the bundle again"
                    )
                self._sizes[horizon] = size
        return self._sizes[horizon]

    def _tensor(self, values: Array) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self._device)

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
            raise BackendError(f"the GPU has too little memory; lower memory_mb = {self._memory_mb:g}") from None
        except RuntimeError as error:
            raise BackendError(f"PyTorch failed on {self._device}: {one_line(error)}") from None


Energies = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Captured:
    """One chunk of a search as a CUDA graph over tensors of its own. Raises BackendError where it cannot be captured.

    Args:
        energies: what is captured: of a latent, a state, actions and a goal.
        chunk, horizon: how many candidates of how many steps.
        latent_shape: (T, C).
        device: a GPU.
    """

    def __init__(
        self, energies: Energies, chunk: int, horizon: int, latent_shape: tuple[int, int], device: torch.device
    ) -> None:
        self.horizon, self._chunk = horizon, chunk
        self._now, self._goal = (torch.zeros((1, *latent_shape), device=device) for _ in range(2))
        self._state = torch.zeros((1, STATE_DIM), device=device)
        self._actions = torch.zeros((chunk, horizon, STATE_DIM), device=device)
        given = self._now, self._state, self._actions, self._goal
        try:
            # Libraries choose kernels and allocate at their first calls, which a capture does not allow.
            here, side = torch.cuda.current_stream(), torch.cuda.Stream()
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(2):
                    energies(*given)
            here.wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            # Thread local: what other threads do with the GPU meanwhile does not end the capture.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._energies = energies(*given)
        except RuntimeError as error:
            raise BackendError(
                f"the search cannot be captured as a CUDA graph ({one_line(error)}); set cuda_graph=false"
            ) from None

    def fits(self, actions: Tensor) -> bool:
        """Whether actions (n, H, 7) can be priced with it: the last chunk may be a little shorter than the others."""
        return actions.shape[1] == self.horizon and self._chunk // 2 < actions.shape[0] <= self._chunk

    def __call__(self, now: Tensor, state: Tensor, actions: Tensor, goal: Tensor) -> Tensor:
        """Energies (n, H); a new tensor."""
        self._now.copy_(now)
        self._state.copy_(state)
        self._actions[: len(actions)].copy_(actions)
        self._goal.copy_(goal)
        self._graph.replay()
        return self._energies[: len(actions)].clone()


class Rollout:
    """Imagines candidates with whichever way a predictor offers, and gives the latents after each step in turn.

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

    def __call__(self, latent: Tensor, state: Tensor, actions: Tensor) -> Iterator[Tensor]:
        """Latent (1, T, C), state (1, 7), actions (N, H, 7) -> latents (N, T, C) after each step, float32."""
        ways: dict[str, Callable[[Tensor, Tensor, Tensor], Iterator[Tensor]]] = {
            "cache": self._by_cache,
            "windows": self._by_windows,
            "frames": self._by_frames,
        }
        for after in ways[self.way(actions.shape[1])](latent, state.expand(len(actions), -1), actions):
            yield after.float()

    def way(self, horizon: int) -> str:
        """How that many steps are imagined: "cache", "windows" or "frames"."""
        if self._cached and horizon <= self._history:
            return "cache"
        return "windows" if self._windowed else "frames"

    def measure(self, latent: Tensor, state: Tensor, actions: Tensor) -> tuple[Tensor, int]:
        """The last latent of :meth:`__call__`, and an estimate of the bytes that one candidate takes."""
        largest = 0

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            nonlocal largest
            for tensor in output if isinstance(output, tuple) else (output,):
                largest = max(largest, tensor.nbytes if isinstance(tensor, Tensor) else 0)

        hooks = [module.register_forward_hook(note) for module in self._predictor.modules()]
        try:
            *_, out = self(latent, state, actions)
        finally:
            for hook in hooks:
                hook.remove()
        horizon = actions.shape[1]
        # The window, the next latent, and its difference to the goal.
        size = _ALIVE * largest + (min(horizon, self._history) + 2) * latent.nbytes
        if self.way(horizon) == "cache" and horizon > 1:
            size += self._predictor.cache(1, horizon).memory.nbytes
        return out, size

    def _by_cache(self, latent: Tensor, state: Tensor, actions: Tensor) -> Iterator[Tensor]:
        samples, horizon = actions.shape[:2]
        cache = self._predictor.cache(samples, horizon) if horizon > 1 else None
        for k, action in enumerate(actions.unbind(1)):
            # The first latent is one for all: what the model does with it alone is done once.
            latent, cache = self._predictor.step(latent, state, action, cache)
            yield latent
            if k + 1 < horizon:
                state = integrate(state, action)

    def _by_windows(self, latent: Tensor, state: Tensor, actions: Tensor) -> Iterator[Tensor]:
        latents, states = latent.expand(len(actions), -1, -1)[:, None], state[:, None]
        for k in range(actions.shape[1]):
            window = actions[:, max(0, k + 1 - self._history) : k + 1]
            last = self._predictor(latents.to(self._dtype), states.to(self._dtype), window.to(self._dtype))
            yield last
            if k + 1 < actions.shape[1]:
                room = 1 - self._history if self._history > 1 else latents.shape[1]
                moved = integrate(states[:, -1], actions[:, k])
                latents = torch.cat([latents[:, room:], last.float()[:, None]], 1)
                states = torch.cat([states[:, room:], moved[:, None]], 1)

    def _by_frames(self, latent: Tensor, state: Tensor, actions: Tensor) -> Iterator[Tensor]:
        latent = latent.expand(len(actions), -1, -1)
        for action in actions.unbind(1):
            out = self._predictor(latent.to(self._dtype), state.to(self._dtype), action.to(self._dtype))
            latent, state = out if isinstance(out, tuple) else (out, integrate(state, action))
            yield latent
