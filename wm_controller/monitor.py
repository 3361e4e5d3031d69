"""An independent judge of the command stream. It knows the limits and nothing of how the controller keeps them.

For that reason it shares no code with the controller either: it computes with rotation matrices, the controller with
quaternions. Both in plain floats, because a check per tick must not cost more than the tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import atan2, cos, hypot, isfinite, sin, ulp
from typing import Any

from numpy.typing import NDArray

from wm_core.limits import Limits

Vec = tuple[float, float, float]
Rows = tuple[Vec, Vec, Vec]

KINDS = (
    *("finite", "box", "tilt", "jump", "speed", "rot_speed", "accel", "rot_accel", "jerk", "rot_jerk"),
    *("stop", "gripper", "leash"),
)
#: Commands closer together than this are one command sent twice: nothing can be said about their velocity.
_SAME_S = 1e-3
#: How long the target may follow an older pose of the arm: so old may a state be (the state watchdog's time), and where
#: jerk is bounded, full acceleration is not turned into braking at once.
_REACTION_S = 0.2
#: A stream at 20 Hz or more that has been silent for this long has ended.
SILENT_S = 0.25
_REST: Vec = (0.0, 0.0, 0.0)


class EnvelopeMonitor:
    """Counts the violations in a stream of commands, fed one by one.

    Speed is that of the straight segment between two commands, acceleration the change of velocity between two
    segments over the time between their middles, jerk the change of acceleration over a third of the time of the three
    segments that it is taken from (which is what a constant jerk gives, at any times). A pause longer than
    ``max_tick_s`` counts as a stop (an arm that follows a stream stops with it); after it the target must not jump by
    more than that time at full speed.

    Attributes:
        counts: violations of each kind.
        worst: for each kind the largest value over its limit; where the limit is zero, the largest value.
        commands: how many poses were judged.
    """

    def __init__(self, limits: Limits, max_tick_s: float = 0.06, tolerance: float = 1e-4) -> None:
        self.limits = limits
        self.counts = dict.fromkeys(KINDS, 0)
        self.worst = dict.fromkeys(KINDS, 0.0)
        self.commands = 0
        self._max_tick_s = max_tick_s
        self._tolerance = tolerance
        self._last: tuple[float, Vec, Rows] | None = None
        self._velocity, self._turning, self._last_dt_s = _REST, _REST, 0.0
        self._accel, self._twist, self._before_dt_s = _REST, _REST, 0.0
        self._arm: deque[tuple[float, Vec, Rows]] = deque()  # measured, over the last _REACTION_S and one more

    @property
    def violations(self) -> int:
        """All violations so far."""
        return sum(self.counts.values())

    def check(
        self,
        now_s: float,
        pose: Sequence[float] | NDArray[Any] | None,
        *,
        stopped: bool = False,
        measured: Sequence[float] | NDArray[Any] | None = None,
        gripper: float | None = None,
    ) -> list[str]:
        """Judge one command; returns the kinds violated.

        Args:
            now_s: when it was sent.
            pose: (6,) commanded TCP, xyz (m) + extrinsic xyz Euler (rad); None (nothing commanded) ends the stream.
            stopped: a stop is latched: the target must not move. It may come to rest abruptly.
            measured: (6,) newest pose of the arm. If given, the leash is judged: a target that is beyond it must not go
                further at an undiminished speed, as seen from every pose that was measured in the last 0.2 s.
            gripper: commanded gripper, 0..1.
        """
        broken: list[str] = []
        if gripper is not None and not 0.0 <= gripper <= 1.0:
            self._add("gripper", abs(gripper - 0.5) * 2, broken)
        if pose is None:
            self._last = None
            return broken
        self.commands += 1
        values = [float(v) for v in pose]
        if len(values) != 6 or not all(map(isfinite, (now_s, *values))):
            self._add("finite", 1.0, broken)
            return broken
        x, y, z, roll, pitch, yaw = values
        place, rows, limits = (x, y, z), _matrix(roll, pitch, yaw), self.limits
        outside = (
            max(low - p, p - high) for p, low, high in zip(place, limits.box_min_m, limits.box_max_m, strict=True)
        )
        self._judge("box", max(outside), 0.0, broken)
        self._judge("tilt", atan2(hypot(rows[0][2], rows[1][2]), -rows[2][2]), limits.tilt_rad, broken)
        if self._last is None:
            self._rest(now_s, place, rows)
            return broken
        last_s, last_place, last_rows = self._last
        dt_s = now_s - last_s
        shift, turn = _minus(place, last_place), _turn(last_rows, rows)
        if stopped:
            self._judge("stop", hypot(*shift, *turn), 0.0, broken)
            self._rest(now_s, place, rows)
        elif 0.0 <= dt_s < _SAME_S:
            self._judge("jump", hypot(*shift), limits.speed_m_s * _SAME_S, broken)
            self._judge("jump", hypot(*turn), limits.rot_speed_rad_s * _SAME_S, broken)
        elif not 0.0 <= dt_s <= self._max_tick_s:
            self._judge("jump", hypot(*shift), limits.speed_m_s * self._max_tick_s, broken)
            self._judge("jump", hypot(*turn), limits.rot_speed_rad_s * self._max_tick_s, broken)
            self._rest(now_s, place, rows)
        else:
            velocity: Vec = (shift[0] / dt_s, shift[1] / dt_s, shift[2] / dt_s)
            turning: Vec = (turn[0] / dt_s, turn[1] / dt_s, turn[2] / dt_s)
            between_s = (self._last_dt_s + dt_s) / 2
            self._judge("speed", hypot(*velocity), limits.speed_m_s, broken)
            self._judge("rot_speed", hypot(*turning), limits.rot_speed_rad_s, broken)
            accel, twist = _rate(velocity, self._velocity, between_s), _rate(turning, self._turning, between_s)
            third_s = (self._before_dt_s + self._last_dt_s + dt_s) / 3
            jerk, whirl = _rate(accel, self._accel, third_s), _rate(twist, self._twist, third_s)
            # Times since 1970 are known to 0.2 us, which is much where three differences are taken over a short tick.
            blur = ulp(now_s) / min(dt_s, self._last_dt_s or dt_s, self._before_dt_s or dt_s)
            soft, slow = 4 * blur / between_s, 8 * blur / between_s / third_s
            self._judge("accel", hypot(*accel), limits.accel_m_s2 + soft * limits.speed_m_s, broken)
            self._judge("rot_accel", hypot(*twist), limits.rot_accel_rad_s2 + soft * limits.rot_speed_rad_s, broken)
            self._judge("jerk", hypot(*jerk), limits.jerk_m_s3 + slow * limits.speed_m_s, broken)
            self._judge("rot_jerk", hypot(*whirl), limits.rot_jerk_rad_s3 + slow * limits.rot_speed_rad_s, broken)
            if measured is not None:
                self._judge_leash(now_s, place, rows, velocity, turning, measured, broken)
            self._last = now_s, place, rows
            self._velocity, self._turning, self._accel, self._twist = velocity, turning, accel, twist
            self._before_dt_s, self._last_dt_s = self._last_dt_s, dt_s
        return broken

    def _judge_leash(
        self,
        now_s: float,
        place: Vec,
        rows: Rows,
        velocity: Vec,
        turning: Vec,
        measured: Sequence[float] | NDArray[Any],
        broken: list[str],
    ) -> None:
        assert self._last is not None  # there is a velocity
        limits, (_, last_place, last_rows) = self.limits, self._last
        ax, ay, az, *angles = (float(v) for v in measured)
        self._arm.append((now_s, (ax, ay, az), _matrix(*angles[:3])))
        while len(self._arm) > 1 and now_s - self._arm[1][0] >= _REACTION_S:
            self._arm.popleft()
        if now_s - self._arm[0][0] < _REACTION_S:
            return
        far = [(hypot(*_minus(place, arm)), hypot(*_minus(last_place, arm))) for _, arm, _ in self._arm]
        if hypot(*velocity) >= hypot(*self._velocity) and all(d > max(limits.leash_m, was) + 1e-9 for d, was in far):
            self._judge("leash", *min((d, max(limits.leash_m, was)) for d, was in far), broken)
        wide = [(hypot(*_turn(arm, rows)), hypot(*_turn(arm, last_rows))) for _, _, arm in self._arm]
        if hypot(*turning) >= hypot(*self._turning) and all(d > max(limits.leash_rad, was) + 1e-9 for d, was in wide):
            self._judge("leash", *min((d, max(limits.leash_rad, was)) for d, was in wide), broken)

    def _rest(self, now_s: float, place: Vec, rows: Rows) -> None:
        self._last = now_s, place, rows
        self._arm.clear()
        self._velocity, self._turning, self._last_dt_s = _REST, _REST, 0.0
        self._accel, self._twist, self._before_dt_s = _REST, _REST, 0.0

    def _judge(self, kind: str, value: float, limit: float, broken: list[str]) -> None:
        # 1e-9 absolute is rounding: of metres and radians, and of their differences over a few milliseconds.
        if value > limit * (1 + self._tolerance) + 1e-9:
            self._add(kind, value / limit if limit > 0.0 else value, broken)

    def _add(self, kind: str, size: float, broken: list[str]) -> None:
        self.counts[kind] += 1
        self.worst[kind] = max(self.worst[kind], size)
        broken.append(kind)


def _minus(a: Iterable[float], b: Iterable[float]) -> Vec:
    (ax, ay, az), (bx, by, bz) = a, b
    return (ax - bx, ay - by, az - bz)


def _rate(now: Vec, before: Vec, time_s: float) -> Vec:
    return ((now[0] - before[0]) / time_s, (now[1] - before[1]) / time_s, (now[2] - before[2]) / time_s)


def _matrix(roll: float, pitch: float, yaw: float) -> Rows:
    """Rotation matrix of extrinsic xyz Euler angles, by rows."""
    cr, sr, cp, sp, cy, sy = cos(roll), sin(roll), cos(pitch), sin(pitch), cos(yaw), sin(yaw)
    return (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )


def _turn(start: Rows, end: Rows) -> Vec:
    """Rotation vector (rad, base frame) of ``end start^T``; near half a turn only its length is meaningful."""
    m = [[a[0] * b[0] + a[1] * b[1] + a[2] * b[2] for b in start] for a in end]
    x, y, z = (m[2][1] - m[1][2]) / 2, (m[0][2] - m[2][0]) / 2, (m[1][0] - m[0][1]) / 2
    sine = hypot(x, y, z)
    angle = atan2(sine, (m[0][0] + m[1][1] + m[2][2] - 1) / 2)
    factor = angle / sine if sine > 1e-12 else 1.0
    return (x * factor, y * factor, z * factor)
