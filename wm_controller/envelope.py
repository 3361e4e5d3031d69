"""The region that commanded poses may not leave, and the clips that keep plans within it. Knows nothing of models.

The box and the tilt cone are never left, whatever happens. The leash is drawn around the measured pose, which the
controller does not choose: the target never moves further away from the arm once the leash is taut, and is drawn back
to it, at the permitted speed, if the arm itself was moved.
"""

from __future__ import annotations

from math import atan2, cos, hypot, sin

from wm_core.limits import Limits

from .spatial import Quat, Vec, add, dot, length, minus, scaled, shortened, tool_axis, turn_between, turned

#: Goals are kept this share within the tilt cone, so that a wrist can slide along the cone instead of sticking to it.
_CONE_SHARE = 0.98
#: The commanded orientation is an average of those that are guarded here. Turns do not quite add, so the average may
#: lean a little further than any of them; they are guarded this share within the cone.
_GUARD_SHARE = 0.99
#: How fast the tilt may grow per radian left of it, in 1/s.
_CONE_GAIN = 4.0

#: A planner that keeps to the same limit may be above it by so little (m, rad); that is no clip worth a count.
_ROUNDING = 1e-6
#: Rounding of the arithmetic here: a goal on the leash itself counts as within it.
_TINY = 1e-10
#: A smaller angle (rad) is no turn: it has no axis, and a day of such ticks leans the tool by less than a microradian.
_NO_TURN = 1e-14


def tilt(q: Quat) -> float:
    """Angle between the tool's z axis and straight down, rad."""
    x, y, z = tool_axis(q)
    return atan2(hypot(x, y), -z)


def _leaning(q: Quat) -> Vec:
    """The horizontal axis about which a positive turn leans the tool further over."""
    x, y, _ = tool_axis(q)
    size = hypot(x, y)
    return (y / size, -x / size, 0.0) if size > 1e-9 else (1.0, 0.0, 0.0)


class Envelope:
    """Box, tilt cone, leash and step length of :class:`wm_core.limits.Limits`, in the base frame, about the TCP."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._low, self._high = limits.box_min_m, limits.box_max_m
        self._lowest_cos = -cos(_GUARD_SHARE * limits.tilt_rad)  # the tool axis' z must stay at or below it

    def fault(self, position: Vec, q: Quat, slack_m: float = 0.0, slack_rad: float = 0.0) -> str:
        """Why a measured pose is no place to be, as a sentence; "" if it is in box and cone, or the slack around."""
        for axis, value, low, high in zip("xyz", position, self._low, self._high, strict=True):
            if not low - slack_m <= value <= high + slack_m:
                return (
                    f"the arm is outside the workspace box ({axis} = {value:.3f} m, box {low:.3f}..{high:.3f} m); "
                    "move it inside by hand"
                )
        lean = tilt(q)
        if not lean <= self.limits.tilt_rad + slack_rad:
            return f"the tool leans {lean:.2f} rad, the limit is {self.limits.tilt_rad:.2f} rad; turn it down by hand"
        return ""

    def clip_step(self, shift: Vec, turn: Vec) -> tuple[Vec, Vec, bool]:
        """One plan step (m, rotation vector in rad) within the step limits, and whether it had to be shortened."""
        short, small = shortened(shift, self.limits.step_m), shortened(turn, self.limits.step_rad)
        clipped = length(shift) > self.limits.step_m + _ROUNDING or length(turn) > self.limits.step_rad + _ROUNDING
        return short, small, clipped

    def clip_position(self, p: Vec) -> Vec:
        """The nearest point in the box."""
        (lx, ly, lz), (hx, hy, hz) = self._low, self._high
        return (min(max(p[0], lx), hx), min(max(p[1], ly), hy), min(max(p[2], lz), hz))

    def clip_rotation(self, q: Quat) -> Quat:
        """The nearest orientation in the tilt cone."""
        excess = tilt(q) - _CONE_SHARE * self.limits.tilt_rad
        return turned(q, scaled(_leaning(q), -excess)) if excess > 0.0 else q

    def leash_position(self, goal: Vec, measured: Vec) -> tuple[Vec, bool]:
        """The goal within the leash of the measured position (the box goes first), and whether that moved it."""
        off = minus(goal, measured)
        size, most = length(off), self.limits.leash_m
        if size <= most:
            return goal, False
        return self.clip_position(add(measured, off, most / size)), size > most + _ROUNDING

    def leash_rotation(self, goal: Quat, measured: Quat) -> tuple[Quat, bool]:
        """The same for the orientation."""
        off = turn_between(measured, goal)
        size, most = length(off), self.limits.leash_rad
        if size <= most:
            return goal, False
        return self.clip_rotation(turned(measured, scaled(off, most / size))), size > most + _ROUNDING

    def slide(self, q: Quat, turning: Vec) -> Vec:
        """An angular velocity (rad/s) without what would press against the edge of the tilt cone."""
        axis = _leaning(q)
        excess = dot(turning, axis) - _CONE_GAIN * (_CONE_SHARE * self.limits.tilt_rad - tilt(q))
        return add(turning, axis, -excess) if excess > 0.0 else turning

    def position_inside(self, start: Vec, way: Vec, measured: Vec) -> bool:
        """Whether the straight way from ``start`` stays in the box and on the leash, or at least comes nearer."""
        x, y, z = end = add(start, way)
        (lx, ly, lz), (hx, hy, hz) = self._low, self._high
        if not (lx <= x <= hx and ly <= y <= hy and lz <= z <= hz):
            return False
        return length(minus(end, measured)) <= max(self.limits.leash_m + _TINY, length(minus(start, measured)))

    def rotation_inside(self, start: Quat, turn: Vec, measured: Quat) -> bool:
        """Whether turning by ``turn`` about its fixed axis stays in the tilt cone all the way, and on the leash."""
        angle = length(turn)
        if angle < _NO_TURN:
            return True
        kx, ky, kz = axis = scaled(turn, 1 / angle)
        tool = tool_axis(start)
        # Turning about an axis, the height of the tool's axis is  mean + c cos(angle) + s sin(angle).
        mean = kz * dot(axis, tool)
        c, s = tool[2] - mean, kx * tool[1] - ky * tool[0]
        highest = max(tool[2], mean + c * cos(angle) + s * sin(angle))
        if 0.0 < atan2(s, c) < angle:
            highest = mean + hypot(c, s)
        if highest > max(self._lowest_cos, tool[2]):
            return False
        far = length(turn_between(measured, turned(start, turn)))
        return far <= max(self.limits.leash_rad + _TINY, length(turn_between(measured, start)))
