"""From a goal to a stream of small steps within speed, acceleration and jerk, whatever the jitter of the ticks.

Two layers, in one class each. :class:`Glide` goes ahead in steps of STEP_S and keeps speed and acceleration. It keeps
one more promise: at each step it could brake straight to rest without leaving the allowed region, and if it cannot do
what is wanted without giving that up, it brakes. :class:`Stream` is what is commanded: the glide's path, averaged over
the newest WINDOW_S. An average of places lies in any convex region that holds them, and an average of velocities is
never faster; but the average's acceleration cannot jump: its jerk is at most ``2 * accel / WINDOW_S``.

The path that is averaged goes through the middles of the glide's steps at their velocities, so its velocity changes
evenly from one middle to the next. The average is then a cubic in each step and can be read at any time, so that uneven
ticks change nothing of the motion. Its speed, acceleration and jerk are bounded at every instant, hence so are all
differences that can be taken of the stream. Positions and rotation vectors share the code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import sqrt

from .spatial import ZERO, Vec, add, dot, length, minus, scaled, shortened

#: Ticks closer together than this are one tick (rclpy fires a late timer twice in a row).
MIN_TICK_S = 0.001
#: An arm that follows a stream stops with it: after a pause longer than this the stream starts again from rest.
#: At the ceiling of 0.25 m/s it bounds a step of the target to 15 mm.
MAX_TICK_S = 0.06
#: The glide's own period.
STEP_S = 0.01
_STEPS = 10
#: Over how long the glide's path is averaged; the command is half of it behind the glide.
WINDOW_S = _STEPS * STEP_S


def braking_reach(speed: float, accel: float) -> float:
    """How far a step of ``speed`` goes, with the braking steps that follow it.

    Steps that each lose ``accel * STEP_S`` sample a parabola, and a step of velocity v leaves it at
    ``v - accel * STEP_S / 2``.
    """
    left = speed - accel * STEP_S / 2
    return speed * STEP_S + (left * left / (2 * accel) if left > 0.0 and accel > 0.0 else 0.0)


def fastest(distance: float, accel: float) -> float:
    """The inverse of :func:`braking_reach`: the speed of the next step that comes to rest after ``distance``."""
    root = sqrt(2 * accel * distance)
    return root - accel * STEP_S / 2 if root >= accel * STEP_S else distance / STEP_S


def wanted_velocity(to_goal: Vec, onward: Vec, time_left_s: float, speed: float, accel: float) -> Vec:
    """Velocity of the next step that covers ``to_goal`` evenly in ``time_left_s``, slow enough to brake for it.

    Braking comes on top of the even pace, so a last step ends ``speed / (2 * accel)`` late rather than at rest in time;
    a next plan that comes in time finds the arm still moving, and steps in one direction flow.
    ``onward`` is the velocity of the step after this one (zero if there is none): what of it points the same way need
    not be braked away. A fifth of the acceleration is left for corrections sideways.
    """
    distance = length(to_goal)
    if distance < 1e-12 or accel <= 0.0:
        return ZERO
    direction = scaled(to_goal, 1 / distance)
    through = max(0.0, dot(onward, direction))
    braking = 0.8 * accel
    pace = min(speed, distance / max(time_left_s, STEP_S), fastest(distance + through**2 / (2 * braking), braking))
    return scaled(direction, pace)


class Glide:
    """Its velocity, and the rule by which it changes from step to step."""

    def __init__(self, speed: float, accel: float) -> None:
        self.speed = speed
        self.accel = accel
        self.velocity: Vec = ZERO

    def advance(self, want: Vec, inside: Callable[[Vec], bool]) -> Vec:
        """The velocity of the next step, as near to ``want`` as the acceleration allows.

        Args:
            want: velocity; what exceeds ``speed`` is cut.
            inside: tells whether the straight way from here along a vector stays in the allowed region. It is asked
                for the step with the braking that would follow it.
        """
        most = self.accel * STEP_S
        chosen = add(self.velocity, shortened(minus(shortened(want, self.speed), self.velocity), most))
        if not self._safe(chosen, inside):
            pace = length(self.velocity)
            brake = scaled(self.velocity, 1 - most / pace) if pace > most else ZERO
            towards = minus(chosen, brake)
            for share in (0.5, 0.25, 0.125):
                chosen = add(brake, towards, share)
                if self._safe(chosen, inside):
                    break
            else:
                chosen = brake
        self.velocity = chosen
        return chosen

    def _safe(self, velocity: Vec, inside: Callable[[Vec], bool]) -> bool:
        pace = length(velocity)
        return pace == 0.0 or inside(scaled(velocity, braking_reach(pace, self.accel) / pace))


class Stream:
    """One stream of commands, linear (m) or angular (rad), and the glide ahead of it.

    Attributes:
        glide: what goes ahead; its acceleration is the limit, or less where the jerk asks for it.
        ahead: from the command to where the glide is; where the stream ends if the glide rests from now on.
    """

    def __init__(self, speed: float, accel: float, jerk: float) -> None:
        self.glide = Glide(speed, min(accel, jerk * WINDOW_S / 2))
        self.rest()

    def rest(self) -> None:
        """Forget the motion: the stream stands still where it is."""
        self.glide.velocity = self.ahead = ZERO
        # Of the steps that the cubic in execution depends on, oldest first: the averaged ones, one before, one after.
        self._steps: deque[Vec] = deque([ZERO] * (_STEPS + 2), maxlen=_STEPS + 2)
        self._cubic = (ZERO, ZERO, ZERO)
        self._into_s = STEP_S  # how far into the cubic; here at its end, so the next tick begins with a new step

    @property
    def resting(self) -> bool:
        """Whether the command stands still, and the glide ahead of it as well."""
        return not any(map(any, self._steps))

    def advance(self, dt_s: float, choose: Callable[[Vec], Vec]) -> Vec:
        """The way of the command over the next ``dt_s``.

        Args:
            dt_s: duration of the tick.
            choose: called once for each step that the glide takes meanwhile, with the way from the command at the start
                of the tick to the glide; returns the velocity of the step.
        """
        moved = ZERO
        while dt_s > 0.0:
            if self._into_s >= STEP_S:
                self._begin_step(choose(add(moved, self.ahead)))
            left_s = STEP_S - self._into_s
            end_s, dt_s = (self._into_s + dt_s, 0.0) if dt_s < left_s else (STEP_S, dt_s - left_s)
            way = minus(self._way(end_s), self._way(self._into_s))
            moved, self.ahead = add(moved, way), minus(self.ahead, way)
            self._into_s = end_s
        if self.resting:
            moved, self.ahead = add(moved, self.ahead), ZERO  # what is left is rounding
        return moved

    def _begin_step(self, velocity: Vec) -> None:
        steps = self._steps
        steps.append(velocity)
        self.ahead = add(self.ahead, velocity, STEP_S)
        self._into_s = 0.0
        if not any(map(any, steps)):
            self._cubic = (ZERO, ZERO, ZERO)
            return
        x, y, z = (
            (
                (sum(axis[1:_STEPS]) + (axis[0] + axis[_STEPS]) / 2) / _STEPS,  # velocity, acceleration and jerk
                (axis[_STEPS] - axis[0]) / WINDOW_S,
                (axis[_STEPS + 1] - axis[_STEPS] - axis[1] + axis[0]) / (STEP_S * WINDOW_S),
            )
            for axis in zip(*steps, strict=True)
        )
        self._cubic = ((x[0], y[0], z[0]), (x[1], y[1], z[1]), (x[2], y[2], z[2]))

    def _way(self, t: float) -> Vec:
        """How far the cubic in execution has gone ``t`` seconds after its start."""
        velocity, accel, jerk = self._cubic
        return add(add(scaled(velocity, t), accel, t * t / 2), jerk, t**3 / 6)
