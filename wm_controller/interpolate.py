"""From a goal to a stream of small steps within speed and acceleration, whatever the jitter of the ticks.

A stream of poses at uneven times is a chain of straight segments. Its speed is that of each segment; its acceleration
is the change of velocity from one segment to the next over the time between their middles. Sampling a parabola
(constant deceleration) at *any* times gives segments whose acceleration, so measured, is exactly the parabola's. Hence
the formulas below hold exactly for jittered ticks: a segment of velocity v and duration dt leaves the stream at speed
``v - accel * dt / 2``, and braking from there takes ``that ** 2 / (2 * accel)``.

:class:`Glide` keeps one promise: at each tick the arm could brake straight to rest without leaving the allowed region,
and if it cannot do what is wanted without giving that up, it brakes. Positions and rotation vectors share the code.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from .spatial import ZERO, Vec, add, dot, length, minus, scaled, shortened

#: Ticks closer together than this are one tick (rclpy fires a late timer twice in a row).
MIN_TICK_S = 0.001
#: An arm that follows a stream stops with it: after a pause longer than this the stream starts again from rest.
#: At the ceiling of 0.25 m/s it bounds a step of the target to 15 mm.
MAX_TICK_S = 0.06


def braking_reach(speed: float, accel: float, dt_s: float) -> float:
    """How far a segment of ``speed`` over ``dt_s`` goes, with the braking that follows it."""
    left = speed - accel * dt_s / 2
    return speed * dt_s + (left * left / (2 * accel) if left > 0.0 and accel > 0.0 else 0.0)


def fastest(distance: float, accel: float, dt_s: float) -> float:
    """The inverse of :func:`braking_reach`: the speed over the next ``dt_s`` that comes to rest after ``distance``."""
    root = sqrt(2 * accel * distance)
    return root - accel * dt_s / 2 if root >= accel * dt_s else distance / dt_s


def wanted_velocity(to_goal: Vec, onward: Vec, time_left_s: float, speed: float, accel: float, dt_s: float) -> Vec:
    """Velocity over the next ``dt_s`` that covers ``to_goal`` evenly in ``time_left_s``, slow enough to brake for it.

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
    pace = min(speed, distance / max(time_left_s, dt_s), fastest(distance + through**2 / (2 * braking), braking, dt_s))
    return scaled(direction, pace)


class Glide:
    """One stream, linear (m) or angular (rad): its velocity, and the rule by which it changes."""

    def __init__(self, speed: float, accel: float) -> None:
        self.speed = speed
        self.accel = accel
        self.velocity: Vec = ZERO
        self._last_dt_s = 0.0

    def rest(self) -> None:
        """Forget the velocity: the stream has stopped."""
        self.velocity = ZERO
        self._last_dt_s = 0.0

    def advance(self, want: Vec, dt_s: float, inside: Callable[[Vec], bool]) -> Vec:
        """The step of the next ``dt_s``, as near to the velocity ``want`` as the acceleration allows.

        Args:
            want: velocity; what exceeds ``speed`` is cut.
            dt_s: duration of the step, MIN_TICK_S..MAX_TICK_S.
            inside: tells whether the straight way from here along a vector stays in the allowed region. It is asked
                for the step with the braking that would follow it.
        """
        most = self.accel * (self._last_dt_s + dt_s) / 2
        chosen = add(self.velocity, shortened(minus(shortened(want, self.speed), self.velocity), most))
        if not self._safe(chosen, dt_s, inside):
            pace = length(self.velocity)
            brake = scaled(self.velocity, 1 - most / pace) if pace > most else ZERO
            towards = minus(chosen, brake)
            for share in (0.5, 0.25, 0.125):
                chosen = add(brake, towards, share)
                if self._safe(chosen, dt_s, inside):
                    break
            else:
                chosen = brake
        self.velocity = chosen
        self._last_dt_s = dt_s
        return scaled(chosen, dt_s)

    def _safe(self, velocity: Vec, dt_s: float, inside: Callable[[Vec], bool]) -> bool:
        pace = length(velocity)
        return pace == 0.0 or inside(scaled(velocity, braking_reach(pace, self.accel, dt_s) / pace))
