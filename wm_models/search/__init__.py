"""The whole cross-entropy search on one device, for models so large that a plan is mostly matrix products.

V-JEPA 2-AC (arXiv 2506.09985) searches 800 samples x 10 iterations at horizon 1, 16 s per action on an RTX 4090. Here
samples, rollouts, energies and refits stay on the device (:mod:`wm_models.search.device`), in chunks that fit a budget
of memory, optionally as one CUDA graph per iteration. What is found is a *proposal*: the planner projects it, checks it
and scores it like any other candidate. This file needs numpy only; the search itself needs torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wm_core.errors import ConfigError

PRECISIONS = ("float32", "bfloat16", "float16")

_SHARES = ("momentum_mean", "momentum_std", "momentum_mean_gripper", "momentum_std_gripper")


@dataclass(frozen=True)
class SearchConfig:
    """The defaults are the settings of the V-JEPA 2-AC paper. Raises ConfigError on values that make no sense."""

    #: Candidates per iteration, iterations, steps per candidate, candidates that the distribution is fitted to.
    samples: int = 800
    iterations: int = 10
    horizon: int = 1
    elites: int = 10
    #: Share of the old mean and standard deviation that survives an update; the gripper has shares of its own.
    momentum_mean: float = 0.15
    momentum_std: float = 0.15
    momentum_mean_gripper: float = 0.15
    momentum_std_gripper: float = 0.15
    #: Standard deviation at the start: of the motion as a share of half the action range, of the gripper in closedness.
    initial_std: float = 1.0
    initial_std_gripper: float = 1.0
    #: Above 0, a search for the goal of the search before begins around that one's result, with this share of the
    #: standard deviations above. 0: every search starts anew.
    warm_std: float = 0.0
    #: A gripper delta below this in the returned mean is 0, "keep".
    dead_zone: float = 0.25
    #: Candidates are imagined in chunks that fit into about this much memory, weights not counted.
    memory_mb: float = 2048.0
    seed: int = 0
    #: Of weights and arithmetic; latents, states, actions and energies are float32 always.
    precision: str = "float32"
    #: As torch names it: "cpu", "cuda", "cuda:1".
    device: str = "cpu"
    #: Capture an iteration once and replay it, which spares the launches of its kernels. Needs a GPU.
    cuda_graph: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "iterations", "horizon"):
            _require(getattr(self, name) >= 1, f"{name} = {getattr(self, name)} must be at least 1")
        _require(2 <= self.elites <= self.samples, f"elites = {self.elites} must be between 2 and samples")
        for name in _SHARES:
            _require(0.0 <= getattr(self, name) < 1.0, f"{name} = {getattr(self, name)} must be at least 0 and below 1")
        for name in ("initial_std", "initial_std_gripper", "dead_zone"):
            value = getattr(self, name)
            _require(0.0 <= value < math.inf, f"{name} = {value} must be a finite number, at least 0")
        _require(0.0 <= self.warm_std <= 1.0, f"warm_std = {self.warm_std} must be within 0..1")
        _require(0.0 < self.memory_mb < math.inf, f"memory_mb = {self.memory_mb} must be positive")
        _require(0 <= self.seed < 2**63, f"seed = {self.seed} must not be negative")
        _require(self.precision in PRECISIONS, f"precision = '{self.precision}' must be one of {', '.join(PRECISIONS)}")
        kind = self.device.partition(":")[0]
        _require(kind in ("cpu", "cuda"), f"device = '{self.device}' must be cpu or cuda")
        _require(kind == "cuda" or not self.cuda_graph, "cuda_graph needs device: cuda")


@dataclass(frozen=True)
class Bounds:
    """What candidates are brought into besides the model's action range; None: no such bound.

    A convenience of the search, so that it does not look where the planner will not go. The guardrails are the
    planner's. The box is in metres, the longest step in metres and radians.
    """

    box_min_m: tuple[float, float, float] | None = None
    box_max_m: tuple[float, float, float] | None = None
    step_m: float | None = None
    turn_rad: float | None = None

    def __post_init__(self) -> None:
        low, high = self.box_min_m, self.box_max_m
        _require((low is None) == (high is None), "a box needs box_min_m and box_max_m")
        if low is not None and high is not None:
            inside = all(-math.inf < a <= b < math.inf for a, b in zip(low, high, strict=True))
            _require(inside, f"the box {low}..{high} must be finite, lower end first")
        for name in ("step_m", "turn_rad"):
            value = getattr(self, name)
            _require(value is None or 0.0 <= value < math.inf, f"{name} = {value} must be a finite number, at least 0")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(f"search {message}")
