"""Which way a model's axes lie: small moves of the arm, the moves that the model believes to see, and the turn between.

V-JEPA 2-AC (arXiv 2506.09985) names the failure, axes that rotate with the camera's azimuth, and suggests this remedy.
It asks nothing of a model but its predictor: the move between two frames is the action under which the first one's
prediction comes closest to the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_core import seeds
from wm_core.axes import Axes
from wm_core.errors import ConfigError, WmError
from wm_core.limits import Limits
from wm_core.pose import STATE_DIM, difference
from wm_models.imagination import Imagination
from wm_models.imagination.base import GOAL

Array = NDArray[np.float64]

#: The search for a move: a grid over this multiple of the model's range, for moves that look longer than they are, ...
_REACH, _GRID = 1.25, 13
#: ... then finer grids around the best point, each as wide as two cells of the last; the last cell is below 0.1 mm.
_FINER, _FINER_GRID = 3, 9
#: The model is given its state in the axes that were found last, so the fit is repeated until it stands still.
_ROUNDS, _STILL_RAD = 8, np.radians(0.2)


class CalibrationError(WmError):
    """The moves, or what the model sees in them, do not tell which way its axes lie."""


@dataclass(frozen=True)
class CalibrationConfig:
    """Lengths in metres. Raises ConfigError on nonsense."""

    #: Moves, and their lengths. Their directions are drawn; the arm rests after each.
    moves: int = 240
    shortest_m: float = 0.025
    longest_m: float = 0.045
    #: The moves stay this near to the start in x and in y, and between the start's height and this much above it.
    reach_m: float = 0.18
    rise_m: float = 0.12
    seed: int = 0
    #: What is refused: fewer usable moves; moves along one line (ratio of the spread along and across it); motion that
    #: the turn does not explain, as a share of all that the model sees; an uncertain angle (one standard error).
    least_moves: int = 12
    most_condition: float = 2.0
    most_residual: float = 0.5
    most_error_rad: float = np.radians(2.0)

    def __post_init__(self) -> None:
        seeds.checked(self.seed)
        if self.least_moves < 3:
            raise ConfigError(f"least_moves = {self.least_moves} are too few for a calibration; give 3 or more")
        if self.moves < self.least_moves:
            raise ConfigError(f"moves = {self.moves} are too few for a calibration; give {self.least_moves} or more")
        if not 0.0 < self.shortest_m <= self.longest_m < np.inf:
            raise ConfigError("calibration needs 0 < shortest_m <= longest_m")
        if not (2.0 * self.longest_m <= self.reach_m < np.inf and 0.0 <= self.rise_m < np.inf):
            raise ConfigError("calibration needs reach_m of at least two moves, and rise_m of at least 0")
        least = {"most_condition": 1.0, "most_residual": 0.0, "most_error_rad": 0.0}
        if not all(low <= getattr(self, name) < np.inf and getattr(self, name) > 0.0 for name, low in least.items()):
            raise ConfigError(
                "calibration needs a finite most_condition >= 1, and finite most_residual and most_error_rad above 0"
            )


class RandomMoves:
    """Small moves around a start (3,), inside the box and the step limit of ``limits``, and never below the start.

    The controller's envelope stands between these and the arm, as it does for any plan. ``rng`` draws them; None: one
    from the seed of ``config``. Raises CalibrationError where the box leaves no room around the start.
    """

    def __init__(
        self,
        config: CalibrationConfig,
        limits: Limits,
        step_period_s: float,
        start_m: ArrayLike,
        rng: np.random.Generator | None = None,
    ) -> None:
        start = np.asarray(start_m, dtype=np.float64)
        away = np.array([config.reach_m, config.reach_m, 0.0])
        self._low = np.maximum(start - away, limits.box_min_m)
        self._high = np.minimum(start + away + [0.0, 0.0, config.rise_m], limits.box_max_m)
        self._longest = min(config.longest_m, limits.step_m, limits.speed_m_s * step_period_s)
        self._shortest = min(config.shortest_m, self._longest)
        self._rng = np.random.default_rng(config.seed) if rng is None else rng
        self._aim = self._from = start
        self._way = np.zeros(3)  # of the last move, which began at _from
        if self._longest <= 0.0 or np.any(self._high - self._low < [2 * self._longest, 2 * self._longest, 0.0]):
            raise CalibrationError("the arm has no room for a calibration's moves; start nearer to the box's middle")

    def next(self, position_m: ArrayLike) -> Array:
        """A plan (2, 7) from the measured position (3,): one step of motion, and one of rest.

        The moves lead roughly towards one drawn place after another: a model reads motion a little wrong in one place
        and the other way in another, and a walk without a goal would stay in one of them for long.
        """
        here = np.asarray(position_m, dtype=np.float64)
        plan = self._drawn(here)
        self._from, self._way = here, plan[0, :3]
        return plan

    def led_to(self, position_m: ArrayLike) -> bool:
        """Whether the last move, all or a part of it, led to about ``position_m`` (3,): else something else did."""
        gone = np.asarray(position_m, dtype=np.float64) - self._from
        share = np.clip(float(gone @ self._way) / (float(self._way @ self._way) or 1.0), 0.0, 1.0)
        return bool(np.linalg.norm(gone - share * self._way) <= self._longest)

    def _drawn(self, here: Array) -> Array:
        plan = np.zeros((2, STATE_DIM))
        if np.linalg.norm((self._aim - here)[:2]) <= self._longest:
            self._aim = self._rng.uniform(self._low, self._high)
        heading = float(np.arctan2(*(self._aim - here)[1::-1]))
        for attempt in range(1000):
            spread = min(1.0, 0.3 + attempt / 500.0) * np.pi  # wider and wider, until a move stays inside
            angle = heading + self._rng.uniform(-spread, spread)
            length = self._rng.uniform(self._shortest, self._longest)
            move = np.array([np.cos(angle), np.sin(angle), self._rng.uniform(-0.5, 0.5)])
            plan[0, :3] = length * move / np.linalg.norm(move)
            if np.all(here + plan[0, :3] >= self._low) and np.all(here + plan[0, :3] <= self._high):
                return plan
        inward = np.clip(here, self._low + self._longest, np.maximum(self._high - self._longest, self._low)) - here
        plan[0, :3] = inward * min(1.0, self._longest / max(float(np.linalg.norm(inward)), 1e-9))
        return plan


@dataclass(frozen=True)
class Move:
    """Two frames with a move between: latents (T, C) and the TCP states (7,) measured at their stamps."""

    latent: NDArray[np.float32]
    state: Array
    next_latent: NDArray[np.float32]
    next_state: Array


def infer(model: Imagination, move: Move) -> Array:
    """The translation (2,) in x and y, in metres, that ``model`` believes to see in a move; the rest is as measured.

    Raises CalibrationError where the model predicts nothing finite.
    """
    low, high = np.asarray(model.spec.action.low, float), np.asarray(model.spec.action.high, float)
    action = np.clip(difference(move.state, move.next_state), low, high)
    action[6] = 0.0  # the gripper was told to keep
    before, after = model.take(move.latent), model.take(move.next_latent)
    best, half, size = np.zeros(2), _REACH * high[:2], _GRID
    for _ in range(1 + _FINER):
        line = np.linspace(-1.0, 1.0, size)
        points = best + half * np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        actions = np.tile(action, (len(points), 1, 1))
        actions[:, 0, :2] = points
        energies = model.price(before, move.state, actions, after)[GOAL][:, -1]
        if not np.any(np.isfinite(energies)):
            raise CalibrationError("the model predicts nothing finite for the moves; check the bundle")
        best = points[np.nanargmin(np.where(np.isfinite(energies), energies, np.nan))]
        half, size = half * 2.0 / (size - 1), _FINER_GRID
    return best


@dataclass(frozen=True)
class Fit:
    """``inferred = scale * R(-yaw) measured`` + a constant, in the plane, and how well that holds."""

    yaw_rad: float
    scale: float
    #: What the turn does not explain of the inferred motion, as a share of it (both root mean square).
    residual: float
    #: Ratio of the spread of the measured moves along the direction where they spread most, and across it.
    condition: float
    #: One standard error of the yaw.
    error_rad: float
    moves: int


def fit_turn(measured: ArrayLike, inferred: ArrayLike, config: CalibrationConfig | None = None) -> Fit:
    """Least squares over turns and scales in the plane (Kabsch 1976, Umeyama 1991) between moves (N, 2).

    Both are centred first: what a model adds to every move says nothing about its axes. Raises CalibrationError where
    the moves do not span the plane, the picture looks mirrored, or too little is explained.
    """
    limits = CalibrationConfig() if config is None else config
    a, b = np.asarray(measured, dtype=np.float64), np.asarray(inferred, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2 or not np.all(np.isfinite(a)) or not np.all(np.isfinite(b)):
        raise CalibrationError("the moves measured and inferred must be two lists of pairs of finite numbers")
    if len(a) < limits.least_moves:
        raise CalibrationError(f"{len(a)} moves are too few to calibrate from; {limits.least_moves} are needed")
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    spread = np.linalg.svd(a, compute_uv=False)
    condition = float(spread[0] / spread[1]) if spread[1] > 0.0 else np.inf
    if not condition <= limits.most_condition or spread[1] < 1e-3 * np.sqrt(len(a)):
        raise CalibrationError(
            f"the moves do not span the plane: their spread is {condition:.1f} times as wide along one line as across "
            f"it, {1000 * spread[1] / np.sqrt(len(a)):.1f} mm; did the arm move freely?"
        )
    if np.linalg.det(a.T @ b) < 0.0:
        raise CalibrationError("the model sees the moves mirrored; is the picture flipped?")
    # In the plane, as complex numbers: the turn from a to b is the angle of the sum of conj(a) b.
    ac, bc = a @ [1.0, 1.0j], b @ [1.0, 1.0j]
    power, turn = float(np.sum(np.abs(ac) ** 2)), complex(np.vdot(ac, bc))
    scale = abs(turn) / power
    rest = bc - ac * turn / power
    seen = float(np.sum(np.abs(bc) ** 2))
    residual = float(np.sqrt(np.sum(np.abs(rest) ** 2) / seen)) if seen > 0.0 else np.inf
    # What stands across each turned move swings the angle; what lies along it changes the scale.
    across = np.imag(rest * np.conj(ac * turn))
    error = float(np.sqrt(np.sum(across**2))) / abs(turn) ** 2 if turn != 0.0 else np.inf
    if not residual <= limits.most_residual:
        raise CalibrationError(
            f"a turn leaves {100 * residual:.0f} % of what the model sees of the moves unexplained, where "
            f"{100 * limits.most_residual:.0f} % are allowed; does the camera see the gripper, and is it the bundle's?"
        )
    if not error <= limits.most_error_rad:
        raise CalibrationError(
            f"the angle is uncertain by {np.degrees(error):.1f} degrees, where {np.degrees(limits.most_error_rad):.1f} "
            "are allowed; make more moves"
        )
    return Fit(float(-np.angle(turn)), scale, residual, condition, error, len(a))


def calibrate(
    model: Imagination, moves: Sequence[Move], axes: Axes | None = None, config: CalibrationConfig | None = None
) -> tuple[Axes, Fit]:
    """The axes of ``model`` for the camera that saw ``moves``, and the last fit, whose yaw is what is left.

    ``axes`` is where to begin: the centre stays as it is. Raises CalibrationError as :func:`fit_turn` does, and where
    the angle does not settle.
    """
    found = Axes() if axes is None else axes
    measured = np.array([move.next_state[:2] - move.state[:2] for move in moves]).reshape(-1, 2)
    for _ in range(_ROUNDS):
        turned = model.with_axes(found)
        fit = fit_turn(measured, [infer(turned, move) for move in moves] if moves else np.zeros((0, 2)), config)
        yaw = found.yaw_rad + fit.yaw_rad
        found = replace(found, yaw_rad=float(np.arctan2(np.sin(yaw), np.cos(yaw))))
        if abs(fit.yaw_rad) <= _STILL_RAD:
            return found, fit
    raise CalibrationError("the angle does not settle; place the camera more as it stood in training")
