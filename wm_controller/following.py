"""Whether the arm does what it is asked, told from commanded and measured poses alone.

A plan is anchored at the measured pose, so the target stays near an arm that does not move, and follows one that is
pushed: the distance between them says little. What is compared is therefore the way that plans *asked* for (within the
envelope, at no more than its speed), the way that the arm *made*, and the trail of the target. An arm may lag behind by
TRAIL_S and stand a little off; three things it may not do:

- be away from the trail of the target (blocked while the target went on, or pushed away);
- stay where it is while each half of a while asked it to go the same way (frozen, blocked, or not listening), or
  while its target went a long way, wherever to;
- go a way that no plan asked for in that while (pushed, sinking, or driven by somebody else).

Positions (m) and orientations (rotation vectors, rad) are judged in the same way, ten times a second.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from wm_core.limits import Limits

from .inputs import Measured
from .spatial import ZERO, Quat, Vec, add, dot, length, minus, shortened, turn_between
from .steps import Step

SAMPLE_S = 0.1
#: The longest lag of an arm: 0.3 s is that of a soft impedance controller, and half as much again.
TRAIL_S = 0.5
#: How long the arm may be away from the trail.
AWAY_S = 0.5
#: Over how long an arm may stay where it is: the longer time where little is asked for, or no more is lacking than what
#: friction may keep it off.
STILL_S = (1.0, 3.0)
#: Over how long an arm may not go by itself. The longer time is for one that sinks: 2 mm/s are 6 cm in it. It is looked
#: at once a second, one axis after the other, so that no tick takes long.
STRAYS_S = (3.0, 30.0)
STRAYS_PERIOD_S = 1.0
#: In the longer time, which share of all the way asked for may be made besides: steps to and fro that are cut short by
#: the next plan, and by acceleration, do not cancel out: of steps of 1 cm a quarter is left.
_DRIFTS = 0.5
#: What is asked for is kept a lag longer than what is made.
_KEPT_S = STRAYS_S[-1] + TRAIL_S


@dataclass(frozen=True)
class Allowed:
    """What is no fault, in m or rad."""

    unit: str
    off: float  # how far friction may keep the arm from its target
    away: float  # from the trail
    asked: float  # in half a while: less is no motion
    ahead: float  # of the arm: a target that is not even that much further on asks for nothing yet
    unasked: float  # way made beyond the way asked for
    path: float  # made by the target in the longer while: of so much, an arm that is free goes some


#: CRISP's "clipped" preset lets an arm stand 0.01 m and 0.08 rad off: a little more, and at least twice that where both
#: ends of a way count. A target that goes 3 cm/s (0.1 rad/s) at no more than the default acceleration goes further than
#: what friction allows. The others are a few times what a Franka's measured pose trembles by (0.1 mm).
METRES = Allowed("m", off=0.015, away=0.025, asked=0.0015, ahead=0.0003, unasked=0.03, path=0.09)
RADIANS = Allowed("rad", off=0.1, away=0.16, asked=0.006, ahead=0.0015, unasked=0.16, path=0.3)
#: Which share of what it lacks (or of what was asked, if that is less) an arm must move by in a while.
_MOVES = 0.3
#: Which share of the path of its target: one that lags by 0.3 s makes a quarter of a circle that takes 0.5 s.
_GOES = 0.1
#: What differs by less is a driver that repeats itself: no arm stands so still.
_SAME = 1e-9


class _Sample(NamedTuple):
    time_s: float
    asked: Vec  # all the way since the reset
    path: float  # its length
    made: Vec  # where the arm is
    target: Vec  # where it was told to be
    led: float  # length of the target's path since the reset
    went: float  # and of the arm's


class _Track:
    """One of the two, position or orientation."""

    def __init__(self, allowed: Allowed, speed: float, accel: float, looks: int = 0) -> None:
        self._allowed, self._speed = allowed, speed
        self._looks = looks  # counts the samples of each STRAYS_PERIOD_S
        # A target that brakes goes further than the plan: by this at full speed.
        self._unasked = allowed.unasked + (speed**2 / (2 * accel) if accel > 0.0 else 0.0)
        self.reset()

    def reset(self) -> None:
        self._asked: Vec = ZERO
        self._path = 0.0
        self._left: Vec = ZERO
        self._pace = 0.0
        self._samples: list[_Sample] = []
        self._near_s: float | None = None  # when the arm was last on the trail

    def replan(self) -> None:
        self._left = ZERO

    def ask(self, way: Vec, pace: float) -> None:
        """A step has begun, of this way and speed."""
        self._left, self._pace = add(self._left, way), min(pace, self._speed)

    def go(self, dt_s: float) -> None:
        """The arm was free to do what it is asked."""
        way = shortened(self._left, self._pace * dt_s)
        self._left = minus(self._left, way)
        self.coast(way)

    def coast(self, way: Vec) -> None:
        """The target has gone this way, by a plan or braking, and the arm was free to do so, too."""
        self._asked = add(self._asked, way)
        self._path += length(way)

    def judge(self, now_s: float, made: Vec, target: Vec) -> str:
        """Take a sample. Returns what is wrong, "" if nothing is."""
        samples = self._samples
        led = went = 0.0
        if samples:
            last = samples[-1]
            led, went = last.led + length(minus(target, last.target)), last.went + length(minus(made, last.made))
        samples.append(_Sample(now_s, self._asked, self._path, made, target, led, went))
        while samples[0].time_s < now_s - _KEPT_S - SAMPLE_S:
            del samples[0]
        return self._away() or self._still() or self._circled() or self._strays()

    def _since(self, duration_s: float) -> int:
        """Index of the newest sample that is at least so old; -1 if there is none."""
        before_s = self._samples[-1].time_s - duration_s + SAMPLE_S / 10
        return bisect_right(self._samples, before_s, key=lambda s: s.time_s) - 1

    def _away(self) -> str:
        newest = self._samples[-1]
        trail = [minus(s.target, newest.made) for s in self._samples[max(0, self._since(TRAIL_S)) :]]
        off = min(map(_distance, trail, [*trail[1:], trail[-1]]))
        if self._near_s is None or off <= self._allowed.away:
            self._near_s = newest.time_s
        if newest.time_s - self._near_s < AWAY_S:
            return ""
        return f"it is {off:.3f} {self._allowed.unit} from where it was asked to be; free it, or see what moves it"

    def _still(self) -> str:
        for duration_s in STILL_S:
            first, middle = self._since(duration_s), self._since(duration_s / 2)
            if first < 0:
                break
            start, half, newest = self._samples[first], self._samples[middle], self._samples[-1]
            early, late = minus(half.asked, start.asked), minus(newest.asked, half.asked)
            if min(length(early), length(late)) < self._allowed.asked or dot(early, late) <= 0.0:
                continue
            during = self._samples[first:]
            if length(minus(newest.target, newest.made)) < self._allowed.ahead:
                continue
            asked = length(minus(newest.asked, start.asked))
            lacks = sum(length(minus(s.target, s.made)) for s in during) / len(during)
            made = max(length(minus(s.made, newest.made)) for s in during)
            # The shorter time is enough where the arm is too far off for friction, or is not even measured anew.
            sure = duration_s > STILL_S[0] or lacks > self._allowed.off or made <= _SAME
            if sure and made < _MOVES * min(asked, lacks):
                return self._stands("", asked, made, duration_s)
        return ""

    def _circled(self) -> str:
        """As still, where what was asked for in the two halves cancels out: circles, to and fro."""
        first = self._since(STILL_S[-1])
        if first < 0:
            return ""
        start, newest = self._samples[first], self._samples[-1]
        asked, made = newest.led - start.led, newest.went - start.went
        if asked < self._allowed.path or made >= _GOES * asked:
            return ""
        return self._stands("to and fro ", asked, made, STILL_S[-1])

    def _stands(self, how: str, asked: float, made: float, duration_s: float) -> str:
        unit = self._allowed.unit
        return (
            f"asked to go {asked:.3f} {unit} {how}in {duration_s:.0f} s, it went {made:.3f} {unit}; "
            "see what blocks it, and whether its controller is active"
        )

    def _strays(self) -> str:
        drift = _DRIFTS * (self._samples[-1].path - self._samples[0].path)
        self._looks = (self._looks + 1) % round(STRAYS_PERIOD_S / SAMPLE_S)
        for duration_s, axes, more in ((STRAYS_S[0], range(3), 0.0), (STRAYS_S[1], range(3)[self._looks :][:1], drift)):
            beyond = max((self._beyond(duration_s, axis) for axis in axes), default=0.0)
            if beyond > self._unasked + more:
                return (
                    f"it went {beyond:.3f} {self._allowed.unit} within {duration_s:.0f} s that no plan asked for; "
                    "see what pushes or drives it"
                )
        return ""

    def _beyond(self, duration_s: float, axis: int) -> float:
        """How much further along an axis the arm is than from where it was in this time, and was ever asked to go."""
        asked = [s.asked[axis] for s in self._samples[max(0, self._since(duration_s + TRAIL_S)) :]]
        made = [s.made[axis] for s in self._samples[max(0, self._since(duration_s)) :]]
        low = high = asked[0]
        rise = fall = 0.0
        for at in asked:
            # Compared by hand: min and max would take three times as long.
            if at < low:
                low = at
            if at > high:
                high = at
            if at - low > rise:
                rise = at - low
            if high - at > fall:
                fall = high - at
        return max(made[-1] - min(made) - rise, max(made) - made[-1] - fall)


def _distance(a: Vec, b: Vec) -> float:
    """From the origin to the straight line from ``a`` to ``b``."""
    way = minus(b, a)
    size = dot(way, way)
    return length(add(a, way, min(1.0, max(0.0, -dot(a, way) / size))) if size > 0.0 else a)


class Following:
    """See the module.

    Attributes:
        fault: why the arm does not follow, in one sentence, until :meth:`reset`; "" if it does.
    """

    def __init__(self, limits: Limits) -> None:
        self._way = _Track(METRES, limits.speed_m_s, limits.accel_m_s2)
        # Its long looks come half a period after those of the other, so that none of them fall into one tick.
        self._turn = _Track(RADIANS, limits.rot_speed_rad_s, limits.rot_accel_rad_s2, looks=5)
        self.reset()

    def reset(self) -> None:
        """Begin again: after a start, a resume, and wherever the target is seated anew."""
        self.fault = ""
        self._way.reset()
        self._turn.reset()
        self._last: Measured | None = None
        self._turned: Vec = ZERO  # all turns of the arm since the reset
        self._sample_s: float | None = None
        self._target: tuple[Vec, Quat] | None = None

    def replan(self) -> None:
        """A new plan replaces what the one before it still asked for."""
        self._way.replan()
        self._turn.replan()

    def ask(self, step: Step) -> None:
        """A step of the plan has begun."""
        self._way.ask(step.way, length(step.velocity))
        self._turn.ask(step.twist, length(step.turning))

    def tick(
        self, now_s: float, dt_s: float, running: bool, target: tuple[Vec, Quat], measured: Measured | None
    ) -> None:
        """A tick has passed; ``target`` is what was commanded in it, position and orientation."""
        if running:
            self._way.go(dt_s)
            self._turn.go(dt_s)
        elif self._target is not None:
            self._way.coast(minus(target[0], self._target[0]))
            self._turn.coast(turn_between(self._target[1], target[1]))
        self._target = target
        last = self._last
        if measured is None or (last is not None and measured.stamp_s <= last.stamp_s):
            return  # nothing new is known of the arm
        if self._sample_s is not None and now_s - self._sample_s < SAMPLE_S - dt_s / 2:
            return
        self._sample_s, self._last = now_s, measured
        if last is not None:
            self._turned = add(self._turned, turn_between(last.rotation, measured.rotation))
        position, rotation = target
        off = self._way.judge(now_s, measured.position, position)
        leans = self._turn.judge(now_s, self._turned, add(self._turned, turn_between(measured.rotation, rotation)))
        if (off or leans) and not self.fault:
            self.fault = f"the arm does not follow: {off or leans}"
