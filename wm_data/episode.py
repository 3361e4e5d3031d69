"""What an episode is: its arrays with their shapes, units and frames, and what holds for all episodes of a data set.

Every data set has a :class:`DataSpec`. It states the conventions in so many words, so that the data can be understood
without this code, and a reader refuses those that it does not share instead of misreading them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core import config
from wm_core.errors import ConfigError, WmError
from wm_core.pose import ACTION_NAMES, STATE_DIM

#: Of the schema: raised by every change that a reader of the version before would misread.
VERSION = 1
#: Where the episodes took place.
SIMULATOR, REAL = "simulator", "real"

Seven = tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True)
class Conventions:
    """How the numbers of this schema are to be read. There is one value of each; another is refused.

    See :mod:`wm_core.pose` for states, and for actions as the difference of two of them.
    """

    action: tuple[str, ...] = ACTION_NAMES
    translation: str = "m"
    rotation: str = "extrinsic xyz Euler angles, rad; that of an action is R_next R^T"
    gripper: str = "0 open .. 1 closed"
    image: str = "rgb8, rows from the top"
    stamps: str = "s since the first frame of the episode"
    camera: str = "optical frame, z forward and y down; pixels are counted from the corner of the picture"

    def __post_init__(self) -> None:
        for known in dataclasses.fields(self):
            if (value := getattr(self, known.name)) != known.default:
                raise ConfigError(
                    f"conventions {known.name} = {value!r} is not what this version reads, which is {known.default!r}; "
                    "convert the data"
                )


@dataclass(frozen=True)
class ActionRange:
    """Range of the actions that were asked for, in m, rad and gripper closedness; see ``wm_models.bundle.ActionSpec``.

    ``low = high = 0`` says that a dimension was never moved. With ``gripper_levels`` the gripper's is one of these.
    """

    low: Seven
    high: Seven
    gripper_levels: tuple[float, ...] | None = None


@dataclass(frozen=True)
class CameraSpec:
    """The camera as far as it is the same in all episodes: its pinhole model in pixels of the frames, and its look.

    ``look`` says in words what makes the pictures what they are: light, background, what is drawn.
    """

    name: str
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    look: str = ""


@dataclass(frozen=True)
class DataSpec:
    """What holds for all episodes of a data set. Raises ConfigError where a value makes no sense.

    ``episodes`` is their number once all are there; ``image_px`` is height and width of the frames. ``pose_frame`` is
    what the states are poses of, "tcp" or "flange". ``frame`` says in which axes positions and actions are: "base", or
    "camera" for those of the base turned about the vertical with the camera, about the point that it looks at; the
    orientation in a state is that of the base in either.
    ``made_by`` is the command or program, ``about`` says how in words for a model's card, and ``settings`` are its own:
    data of other settings are never mixed.
    """

    version: int
    made_by: str
    about: str
    world: str
    episodes: int
    step_period_s: float
    image_px: tuple[int, int]
    action: ActionRange
    pose_frame: str = "tcp"
    frame: str = "base"
    camera: CameraSpec | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)

    def __post_init__(self) -> None:
        for name, known in (
            ("version", (VERSION,)),
            ("world", (SIMULATOR, REAL)),
            ("pose_frame", ("tcp", "flange")),
            ("frame", ("base", "camera")),
        ):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} = {getattr(self, name)!r} is not known; this version reads {known}")
        if self.episodes < 1:
            raise ConfigError(f"episodes = {self.episodes} must be at least 1")
        if not 0.0 < self.step_period_s < np.inf:
            raise ConfigError(f"step_period_s = {self.step_period_s} must be positive")

    @classmethod
    def read(cls, values: Mapping[str, Any], where: str) -> DataSpec:
        """The specification from its mapping. Raises ConfigError, which begins with ``where``."""
        version = values.get("version")
        if version is None:
            raise ConfigError(
                f"{where} has no schema version: the data are older than the schema, which tells what they mean; "
                "make them again in an empty folder with 'wm data generate'"
            )
        if version != VERSION:
            raise ConfigError(
                f"{where} has the schema version {version}, and this version of wm reads {VERSION}; "
                "use the wm that made the data, or make them again"
            )
        return config.from_dict(cls, dict(values), where)

    def as_dict(self) -> dict[str, Any]:
        """What :meth:`read` takes; JSON can hold it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Episode:
    """T steps between T + 1 frames; step t leads from frame t to frame t + 1. No rewards, no labels, no ground truth.

    ``asked`` is the action that was commanded in each step, ``executed`` the one that the arm made of it: the
    difference of the states at its ends.
    """

    #: (T + 1, height, width, 3) uint8.
    frames: NDArray[np.uint8]
    #: (T + 1,) float64; a frame and the state beside it have one stamp.
    stamps_s: NDArray[np.float64]
    #: (T + 1, 7) float32, measured.
    states: NDArray[np.float32]
    #: (T, 7) float32 each.
    asked: NDArray[np.float32]
    executed: NDArray[np.float32]
    #: (6,) float64: xyz and Euler angles of the camera's optical frame in the base frame; NaN where nobody knows.
    camera_pose: NDArray[np.float64]

    @property
    def steps(self) -> int:
        return len(self.asked)

    def check(self, spec: DataSpec, where: str) -> None:
        """Raises WmError, which begins with ``where``, unless this is an episode of a data set of ``spec``."""
        steps = self.steps
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "frames": ((steps + 1, *spec.image_px, 3), "uint8"),
            "stamps_s": ((steps + 1,), "float64"),
            "states": ((steps + 1, STATE_DIM), "float32"),
            "asked": ((steps, STATE_DIM), "float32"),
            "executed": ((steps, STATE_DIM), "float32"),
            "camera_pose": ((6,), "float64"),
        }
        for name, (shape, dtype) in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                raise WmError(f"{where}: {name} is {array.dtype} {array.shape}, and must be {dtype} {shape}")
            if name not in ("frames", "camera_pose") and not np.all(np.isfinite(array)):
                raise WmError(f"{where}: {name} holds numbers that are not finite")
        if steps < 1:
            raise WmError(f"{where} has no step")
        if self.stamps_s[0] != 0.0 or np.any(np.diff(self.stamps_s) <= 0.0):
            raise WmError(f"{where}: stamps_s must begin with 0 and grow")


#: Names of an episode's arrays, as formats may store them.
ARRAYS = tuple(f.name for f in dataclasses.fields(Episode))
