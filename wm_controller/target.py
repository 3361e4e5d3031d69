"""The commanded target: where it is, and how it moves by one tick inside the envelope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import Limits

from .envelope import Envelope
from .inputs import Measured
from .interpolate import MIN_TICK_S, Stream, wanted_velocity
from .spatial import IDENTITY, ZERO, Quat, Vec, add, euler, length, minus, scaled, turn_between, turned
from .steps import Step


class Target:
    """Box and tilt cone are never left; then speed, acceleration and jerk are kept; then the leash.

    Attributes:
        position, rotation: where the TCP is to be; None and arbitrary as long as there is no such place.
        released: whether the place is kept, but not commanded.
    """

    def __init__(self, limits: Limits, envelope: Envelope) -> None:
        self._envelope = envelope
        self._linear = Stream(limits.speed_m_s, limits.accel_m_s2, limits.jerk_m_s3)
        self._angular = Stream(limits.rot_speed_rad_s, limits.rot_accel_rad_s2, limits.rot_jerk_rad_s3)
        self.position: Vec | None = None
        self.rotation: Quat = IDENTITY
        self.released = False

    @property
    def pose(self) -> NDArray[np.float64] | None:
        """What is commanded: (6,) xyz + Euler of the TCP in the base frame; None for nothing."""
        if self.position is None or self.released:
            return None
        return np.array((*self.position, *euler(self.rotation)))

    @property
    def resting(self) -> bool:
        """Whether nothing moves, or there is nothing that could."""
        return self.position is None or (self._linear.resting and self._angular.resting)

    def seat(self, at: Measured | None) -> None:
        """Begin, at rest, at a measured pose; None ends the stream."""
        self.position, self.rotation = (None, IDENTITY) if at is None else (at.position, at.rotation)
        self.released = False
        self.rest()

    def seat_inside(self, at: Measured) -> None:
        """Begin anew, at rest, at a measured pose, or at the nearest place that the envelope has."""
        position, rotation = self._envelope.clip_position(at.position), self._envelope.clip_rotation(at.rotation)
        self.seat(replace(at, position=position, rotation=rotation))

    def rest(self) -> None:
        """Stand still from now on."""
        self._linear.rest()
        self._angular.rest()

    def distance(self, measured: Measured) -> tuple[float, float]:
        """From the arm to the target, m and rad."""
        assert self.position is not None  # seated
        return length(minus(self.position, measured.position)), length(turn_between(measured.rotation, self.rotation))

    def late(self, step: Step, now_s: float) -> frozenset[str]:
        """Which of "speed" and "accel" keeps the target from doing the step in time."""
        assert self.position is not None  # seated
        left_s = max(step.end_s - now_s, MIN_TICK_S)
        ways = minus(step.position, self.position), turn_between(self.rotation, step.rotation)
        out = set()
        for glide, way in zip((self._linear.glide, self._angular.glide), ways, strict=True):
            if length(way) > glide.speed * left_s:
                out.add("speed")
            elif length(minus(scaled(way, 1 / left_s), glide.velocity)) > glide.accel * left_s / 2:
                out.add("accel")
        return frozenset(out)

    def brake(self, dt_s: float, measured: Measured | None) -> None:
        """Move on by one tick, to come to rest."""
        self._advance(dt_s, measured, lambda place: ZERO, lambda facing: ZERO)

    def follow(self, dt_s: float, measured: Measured, step: Step, after: Step | None, left_s: float) -> bool:
        """Move on by one tick towards a step that ends in ``left_s``. Returns whether the leash draws the goal in.

        ``after`` is the step that comes next, if the arm may flow into it.
        """
        goal, slack = self._envelope.leash_position(step.position, measured.position)
        aim, loose = self._envelope.leash_rotation(step.rotation, measured.rotation)
        onward, turning = (ZERO, ZERO) if after is None else (after.velocity, after.turning)
        linear, angular = self._linear.glide, self._angular.glide

        def shift(place: Vec) -> Vec:
            return wanted_velocity(minus(goal, place), onward, left_s, linear.speed, linear.accel)

        def turn(facing: Quat) -> Vec:
            want = wanted_velocity(turn_between(facing, aim), turning, left_s, angular.speed, angular.accel)
            return self._envelope.slide(facing, want)

        self._advance(dt_s, measured, shift, turn)
        return slack or loose

    def _advance(
        self, dt_s: float, measured: Measured | None, shift: Callable[[Vec], Vec], turn: Callable[[Quat], Vec]
    ) -> None:
        position, rotation = self.position, self.rotation
        assert position is not None  # seated
        # Without a state there is nothing to measure the leash from; then the target only comes to rest.
        near, facing_arm = (position, rotation) if measured is None else (measured.position, measured.rotation)
        inside, upright = self._envelope.position_inside, self._envelope.rotation_inside

        def go(ahead: Vec) -> Vec:
            place = add(position, ahead)
            return self._linear.glide.advance(shift(place), lambda way: inside(place, way, near))

        def face(ahead: Vec) -> Vec:
            facing = turned(rotation, ahead)
            return self._angular.glide.advance(turn(facing), lambda way: upright(facing, way, facing_arm))

        way, turning = self._linear.advance(dt_s, go), self._angular.advance(dt_s, face)
        if way != ZERO:
            self.position = self._envelope.clip_position(add(position, way))  # against rounding
        if turning != ZERO:
            self.rotation = turned(rotation, turning)
