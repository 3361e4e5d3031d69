"""A model's axes that lie turned in the robot's base frame, because the camera does not stand where it did in training.

A camera that stands turned by an azimuth *a* about the vertical axis through a centre sees what the camera of the
training would see of a robot whose base frame were turned by *-a* about that centre. So a model that took the axes from
the picture has axes that lie turned by *a* in the true base frame. This is the published failure of V-JEPA 2-AC
(arXiv 2506.09985, section 4.3), and the calibration that it suggests.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from . import config, results
from .errors import ConfigError, shown
from .pose import euler_to_matrix, matrix_to_euler

Array = NDArray[np.float64]

#: The section of a camera's preset that holds its axes.
SECTION = "axes"


@dataclass(frozen=True)
class Axes:
    """The model's axes in the robot's base frame. Raises ConfigError on what is not a finite number or a half turn.

    Every method takes states or actions ``(..., 7)`` of :mod:`wm_core.pose` and returns new arrays.
    """

    #: How far the model's axes lie turned in the base frame, anticlockwise seen from above; 0: as in training.
    yaw_rad: float = 0.0
    #: The point (x, y) of the base frame that lies where the model believes it to lie: what the camera looks at.
    centre_m: tuple[float, float] = (0.47, 0.0)
    #: Whether the hand is held turned with the axes, so that the camera sees it as it did in training.
    turned_hand: bool = False

    def __post_init__(self) -> None:
        if not abs(self.yaw_rad) <= np.pi:
            raise ConfigError(f"axes yaw_rad = {self.yaw_rad} must lie within -pi..pi")
        if not np.all(np.isfinite(self.centre_m)):
            raise ConfigError(f"axes centre_m = {self.centre_m} must be two finite numbers")

    def state_to_model(self, state: ArrayLike, turn_yaw: bool = True) -> Array:
        """A state of the base frame as the model would have it: position about the centre, and the tool's yaw.

        ``turn_yaw`` False keeps the yaw as it was measured, for a model that has never seen another.
        """
        return self._turn_state(state, -self.yaw_rad, turn_yaw)

    def state_to_base(self, state: ArrayLike, turn_yaw: bool = True) -> Array:
        """The inverse of :meth:`state_to_model`."""
        return self._turn_state(state, self.yaw_rad, turn_yaw)

    def actions_to_model(self, actions: ArrayLike) -> Array:
        """Actions of the base frame as the model would have them: translation and axis of rotation are turned."""
        return _turn_actions(actions, -self.yaw_rad)

    def actions_to_base(self, actions: ArrayLike) -> Array:
        """The inverse of :meth:`actions_to_model`."""
        return _turn_actions(actions, self.yaw_rad)

    def _turn_state(self, state: ArrayLike, angle_rad: float, turn_yaw: bool) -> Array:
        out = np.array(state, dtype=np.float64)
        if angle_rad == 0.0:
            return out  # to the last bit: where nothing is turned, nothing changes
        centre = np.array(self.centre_m)
        out[..., :2] = centre + (out[..., :2] - centre) @ euler_to_matrix([0.0, 0.0, angle_rad])[:2, :2].T
        if turn_yaw:
            # R' = Rz R, and R = Rz(yaw) Ry Rx: roll and pitch stay.
            out[..., 5] = np.pi - np.mod(np.pi - (out[..., 5] + angle_rad), 2.0 * np.pi)
        return out


def _turn_actions(actions: ArrayLike, angle_rad: float) -> Array:
    out = np.array(actions, dtype=np.float64)
    if angle_rad == 0.0:
        return out
    turn = euler_to_matrix([0.0, 0.0, angle_rad])
    out[..., :3] = out[..., :3] @ turn.T
    if np.any(out[..., 3:5]):  # a rotation about the vertical alone looks alike from all azimuths
        out[..., 3:6] = matrix_to_euler(turn @ euler_to_matrix(out[..., 3:6]) @ turn.T)
    return out


def load(path: str | Path) -> Axes:
    """The axes in the preset of a camera. Raises ConfigError where it cannot be read or was never calibrated."""
    values = config.read_yaml(path)
    if SECTION not in values:
        raise ConfigError(f"{path} has no '{SECTION}': this camera was not calibrated; see 'wm calibrate --help'")
    return config.from_dict(Axes, values[SECTION], f"{path}: {SECTION}")


def check(path: str | Path) -> None:
    """Raises WmError if :func:`store` could not write to ``path`` now: asked before the moves that find the axes."""
    results.check_writable(path)
    if Path(path).exists() and not Path(path).is_file():
        raise ConfigError(f"{path} is no regular file; give the camera's preset, which gets the axes, or a new name")
    _with_axes(path, Axes(), "")


def store(path: str | Path, axes: Axes, comment: str = "") -> None:
    """Write the axes into the preset of a camera, whose other lines stay as they are; a missing file is made.

    ``comment`` is one line on where they come from. Raises WmError, with the file untouched, where that cannot be done.
    """
    results.write_bytes(path, _with_axes(path, axes, comment).encode("utf-8"))


#: The section with all that is indented below it, and with the blank lines and comments in between.
_SECTION = re.compile(rf"^{SECTION}:.*\n?(?:(?:[ \t]*\n|#.*\n)*[ \t]+\S.*\n?)*", re.MULTILINE)


def _with_axes(path: str | Path, axes: Axes, comment: str) -> str:
    """The text of the preset with these axes in it, in place of those that it has."""
    there = Path(path).exists()
    before, text = (config.read_yaml(path), Path(path).read_text(encoding="utf-8")) if there else ({}, "")
    centre = [round(float(value), 6) for value in axes.centre_m]
    values = {**asdict(axes), "yaw_rad": round(float(axes.yaw_rad), 6), "centre_m": centre}
    flow = yaml.safe_dump(values, default_flow_style=None, sort_keys=False)
    said = f" # {shown(comment)}" if comment else ""
    section = f"{SECTION}:{said}\n{textwrap.indent(flow, '  ')}"
    rest = _SECTION.sub("", text)
    text = (rest.rstrip("\n") + "\n" if rest.strip() else "") + section
    # YAML has more ways to write a mapping than the expression above knows.
    with contextlib.suppress(ConfigError):
        if config.parse_yaml(text, str(path)) == {**before, SECTION: values}:
            return text
    raise ConfigError(
        f"the axes cannot be put into {path} without a change to its other lines; begin each of its keys on a line of "
        f"its own, such as 'fps: 30.0', and indent what belongs to '{SECTION}' below it, or give another file"
    )
