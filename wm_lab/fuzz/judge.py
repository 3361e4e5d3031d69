"""Whether the arm does only what was asked for, judged by what goes in and what comes out.

:class:`wm_controller.monitor.EnvelopeMonitor` judges the shape of the stream. Here the question is whether there may be
one at all: who started it, what was reported since, which plan it follows and whether the arm follows. Nothing here is
taken from the controller; its rules are written down a second time, from the point of view of who stands beside the
arm, and a little more leniently, so that rounding and the times of ticks decide nothing.

Whoever plays the world tells the judge the truth (:meth:`Judge.forbid`: from now on nothing may move), also where the
controller is told a lie. All times are those of one clock that nobody can set, in s.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot, inf, isfinite, remainder, tau
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core.limits import CEILING, Limits

Vec = tuple[float, float, float]

#: What a person may count on, each with the source of the number.
RESUME_QUIET_S = 1.0  # who pressed stop has time to see what happens
RESUME_AGAIN_S = 0.3  # nobody presses a button more than three times a second; a script does
#: Who calls resume sooner than that, or so often for nothing, does not look: silence is asked of a script. As much is
#: asked of everybody after a stop so soon after a resume.
RESUME_SILENCE_S, VAIN = 5.0, 3
HELD_UP_S = 0.4  # a controller that is not called for longer was held up, and calls may have waited for it
WOKEN_S = 0.35  # after such a time somebody may have moved the arm
HOLD_PATIENCE_S = 2.0  # after a longer hold people have come near: motion needs a person's word
FIRST_PLAN_S = 10.0  # how long a planner may think after start or resume
HORIZON_S = 3.0  # three steps of JEPA-WMs' DROID planner (1 s each)
STEP_PERIOD_S = (0.02, 2.0)  # what a step of a plan may last
MAX_STEPS = 256
CLOCK_S = 0.1  # within which braking begins after a clock was set
#: Deltas beyond this multiple of the steps' ceilings (and of 1 for the gripper) are a planner that has gone mad.
MAD = 10.0
#: Outside box or cone by more than this is a person's push or a fall, and no sensor noise.
OUTSIDE_M, OUTSIDE_RAD = 0.03, 0.12
#: How long an arm may not follow. It is blocked if it stays within STILL of one place while its target is further away
#: than that, and than LAG of the leash; elsewhere if it is further than AWAY from all its targets of that time, and led
#: away if it goes further than LED beyond what its speed limit allows, both for ELSEWHERE_S. In m and in rad.
UNFOLLOWED_S, ELSEWHERE_S = 1.6, 0.8
STILL, AWAY, LED, LAG = (0.004, 0.02), (0.04, 0.25), (0.1, 0.4), 0.8
#: An arm that is further away from where it rests was moved. It rests when nothing else was commanded for so long.
MOVED, PUSHED, RESTED_S = (0.04, 0.25), (0.09, 0.5), 0.3  # PUSHED: while it only holds
#: No Franka is faster than 1.7 m/s.
JUMP_M, JUMP_M_S = 0.1, 2.5
#: Smaller changes of the gripper's command say "as it is".
GRIPPER_DEADBAND = 0.25
#: The stream is averaged over this time to bound its jerk; braking takes so much longer.
AVERAGE_S = 0.1
#: Modes that nothing but a person's word leaves.
LATCHED = ("stopped", "fault")
_TINY = 1e-9


@dataclass
class Licence:
    """What an accepted plan allows: to move until ``until_s``, and the gripper to where it was asked."""

    until_s: float
    gripper: list[tuple[float, float]] = field(default_factory=list)  # lowest and highest value of each asked for


class Judge:
    """Counts in ``found`` what nobody asked for.

    Args:
        limits, execute_steps, plan_max_age_s: as the controller was configured.
        blur_s: how well stamps can be read on the steady clock; not well where their clock has a pace of its own.
    """

    def __init__(
        self, limits: Limits, execute_steps: int = 1, plan_max_age_s: float = 1.0, blur_s: float = 0.005
    ) -> None:
        self.limits, self.found = limits, Counter[str]()
        self._execute_steps, self._plan_max_age_s, self._blur_s = execute_steps, plan_max_age_s, blur_s
        self.mode, self._tick_s = "idle", -inf
        self._pose: NDArray[Any] | None = None  # commanded at the last tick
        self._causes: dict[str, float] = {}  # what forbids motion, and from when on
        self._latches: dict[str, float] = {}  # what needs a resume, and since when
        self._run = False  # whether there is a run that somebody started
        self._may_leave: set[str] = set()  # the calls that a mode may be left by: start, resume; since the last tick
        self._resume_s = self._resumed_s = self._word_s = self._ran_s = -inf
        self._again = False  # whether the last stop came soon after a resume
        self._awake_s, self._stop_awake_s = 0.0, -inf  # how long it was called in time, and until the last stop
        self._still_s = -inf  # since when the same is commanded
        self._astray = 0  # how often it was, to an arm that is not there or not heard
        self._stopped = False  # since the last tick
        self._vain, self._early = 0, False  # how often resume is called for nothing; whether too soon after a stop
        self._first_plan = False  # whether the first plan after a word of a person is waited for
        self._licence: Licence | None = None
        self._plan_stamp_s = self._plans_from_s = -inf
        self._rest_by_s, self._speed, self._turning = inf, 0.0, 0.0
        self._rest_first = False  # whether the arm must have stood still before it may go on
        self._fingers: deque[tuple[float, float]] = deque(maxlen=400)  # measured gripper
        self._gripper: float | None = None  # commanded at the last tick
        self._seats: list[float] = []  # values at which the gripper may begin
        self._track: deque[tuple[float, NDArray[Any], NDArray[Any]]] = deque()  # time, arm and target, while running
        self._well_s: dict[tuple[str, int], float] = {}  # when the arm was last not elsewhere, or led away, in m or rad
        self._arm: NDArray[Any] | None = None
        self._arm_s = self._timed_s = -inf  # of its last report, and of the last one that told when it was made
        self._twist: tuple[float, Vec, Vec] = (-inf, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
        self._coasts_until_s = inf  # when a twist must have become zero

    def blame(self, what: str) -> None:
        """Count a violation."""
        self.found[what] += 1

    # ------------------------------------------------------------------ people

    def start(self, now_s: float, done: bool) -> None:
        """Somebody called start; ``done``: the answer was yes."""
        if not done:
            return
        if self._run and self.mode not in LATCHED:
            self.blame("started what was started")
        if (self.mode in LATCHED or self._stopped) and "resume" not in self._may_leave:
            self.blame("start cleared a stop")
        self._run, self._pose = True, None
        self._may_leave.add("start")
        self._begin(now_s)

    def stop(self, now_s: float) -> None:
        """Somebody called stop."""
        self._again, self._stop_awake_s, self._stopped = self._so_soon(now_s), self._awake_s, True
        self._may_leave.clear()
        self._licence = None

    def resume(self, now_s: float, done: bool) -> None:
        """Somebody called resume."""
        latched = self.mode in LATCHED or self._stopped
        quiet_s = RESUME_SILENCE_S if self._again else RESUME_QUIET_S
        early = self._awake_s - self._stop_awake_s < quiet_s - _TINY
        if done and early:
            self.blame("resumed at once after a stop")
        since_s = now_s - self._resume_s
        if since_s >= RESUME_SILENCE_S:
            self._vain, self._early = 0, False
        if done and since_s < RESUME_AGAIN_S - _TINY:
            self.blame("resumed by a call that is repeated")
        if done and (self._vain >= VAIN or self._early):
            self.blame("resumed by a program that does not look")
        self._resume_s = now_s
        self._vain += not done and not latched
        self._early |= latched and early
        if done:
            self._stopped, self._resumed_s = False, now_s
            self._vain = 0
            self._may_leave.add("resume")
            self._latches.clear()
            self._begin(now_s)

    def _so_soon(self, now_s: float) -> bool:
        """Whether a stop that comes now comes soon after a resume."""
        return now_s - self._resumed_s < RESUME_SILENCE_S - _TINY

    def end(self) -> None:
        """The run is over: the goals are reached, or the planner is another one."""
        self._run, self._licence = False, None

    def _begin(self, now_s: float) -> None:
        self._word_s, self._first_plan, self._plans_from_s = now_s, True, now_s
        self._licence, self._plan_stamp_s = None, -inf
        self._seats = [value for at_s, value in list(self._fingers)[-1:]]
        self._gripper = None

    # ------------------------------------------------------------------- world

    def forbid(self, cause: str, now_s: float, *, latch: bool = False, within_s: float = 0.0) -> None:
        """From ``now_s`` + ``within_s`` on nothing may run, until :meth:`allow`, and with ``latch`` until resume."""
        self._causes.setdefault(cause, now_s + within_s)
        if latch and self._run and self.mode in ("running", "holding"):
            self._latches.setdefault(cause, now_s + within_s)

    def allow(self, cause: str) -> None:
        """The cause is gone."""
        self._causes.pop(cause, None)

    def clock(self, now_s: float) -> None:
        """The clock of the stamps was set: nothing from before it counts."""
        self._arm, self._rest_first = None, True
        self._licence, self._plan_stamp_s, self._plans_from_s = None, -inf, now_s

    def measured(self, now_s: float, stamp_s: float, pose: NDArray[Any], gripper: float | None) -> None:
        """A good report of the arm: when it was measured, TCP ``(6,)`` and gripper 0..1, None if that is in trouble."""
        before, since_s = self._arm, stamp_s - self._timed_s
        self._arm_s = stamp_s
        timed = "clock" not in self._causes  # by one that stands nobody can tell when it was measured
        if timed:
            self._timed_s = stamp_s
        if before is not None and timed and _apart(pose, before)[0] > JUMP_M + JUMP_M_S * min(max(since_s, 0.0), 0.5):
            self.forbid("a pose that jumped", now_s, latch=True)
            self.allow("a pose that jumped")
        self._arm = pose
        if gripper is None:
            return
        self._fingers.append((now_s, gripper))
        if self._first_plan:
            self._seats.append(gripper)

    def plan(self, now_s: float, stamp_s: float, period_s: float, deltas: object, taken: bool) -> None:
        """A plan was handed in. ``stamp_s``: when its frame was taken, in truth, or what it claims if that is a lie."""
        if not taken:
            if self._run:
                self._licence = None
            return
        if wrong := self._wrong(now_s, stamp_s, period_s, deltas):
            return self.blame(f"took {wrong}")
        steps = np.asarray(deltas, dtype=float)[: self._execute_steps]
        self._licence = Licence(stamp_s + len(steps) * period_s, self._asked(stamp_s, steps[:, 6]))
        self._plan_stamp_s = stamp_s

    def _wrong(self, now_s: float, stamp_s: float, period_s: float, deltas: object) -> str:
        try:
            array = np.asarray(deltas, dtype=float)
        except (TypeError, ValueError):
            return "a plan that is no array of numbers"
        if array.ndim != 2 or array.shape[1] != 7 or not 1 <= len(array) <= MAX_STEPS or not np.isfinite(array).all():
            return "a plan of a wrong shape, or not finite"
        if not STEP_PERIOD_S[0] <= period_s <= STEP_PERIOD_S[1]:
            return "a plan with a period out of range"
        if min(len(array), self._execute_steps) * period_s > HORIZON_S + 1e-6:
            return "a plan that goes too far ahead"
        if not -0.05 - self._blur_s <= now_s - stamp_s <= self._plan_max_age_s + self._blur_s:
            return "a plan that is not of now"
        if stamp_s < self._plans_from_s - self._blur_s:
            return "a plan from before the start, the resume or the set clock"
        if stamp_s < self._plan_stamp_s - self._blur_s:
            return "a plan older than the one before it"
        if (
            np.abs(array[:, :3]).max() > MAD * CEILING["step_m"]
            or np.abs(array[:, 3:6]).max() > MAD * CEILING["step_rad"]
            or np.abs(array[:, 6]).max() > MAD
        ):
            return "a plan with deltas beyond all reason"
        if not self._run:
            return "a plan in no run"
        return ""

    def _asked(self, stamp_s: float, deltas: NDArray[Any]) -> list[tuple[float, float]]:
        """To where a plan may bring the gripper, from whatever was measured about its stamp."""
        near = [value for at_s, value in self._fingers if abs(at_s - stamp_s) < 0.5]
        if not near:
            return []
        low, high, out = min(near), max(near), []
        for delta in deltas:
            if abs(delta) >= GRIPPER_DEADBAND:
                low, high = (min(1.0, max(0.0, value + delta)) for value in (low, high))
                out.append((low, high))
        return out

    # -------------------------------------------------------------------- tick

    def tick(self, now_s: float, pose: NDArray[Any] | None, gripper: float | None, mode: str, reason: str) -> None:
        """What left the controller at ``now_s``: TCP ``(6,)`` or None, gripper or None, and how it explains it."""
        dt_s = now_s - self._tick_s
        self._judge_mode(now_s, mode, reason)
        self._judge_motion(now_s, dt_s, pose, mode)
        self._judge_rest(now_s, dt_s, pose, mode)
        self._judge_gripper(gripper, mode)
        self._judge_following(now_s, pose, mode)
        if mode == "running":
            self._ran_s, self._first_plan = now_s, False
        if mode in LATCHED and self.mode not in LATCHED and not self._stopped:  # by itself, since the last tick
            self._again, self._stop_awake_s = self._so_soon(now_s), self._awake_s
        self._awake_s += min(max(dt_s, 0.0), HELD_UP_S)
        self.mode, self._pose, self._tick_s = mode, pose, now_s
        self._may_leave.clear()
        self._stopped = False

    def _judge_mode(self, now_s: float, mode: str, reason: str) -> None:
        if bool(reason) == (mode == "running"):
            self.blame("a reason while running, or none while not")
        if self._stopped and mode != "stopped":
            self.blame("not stopped by a stop")
        left = self.mode != mode and not (mode in LATCHED or (mode == "idle" and not self._run))
        if left and self.mode in LATCHED and "resume" not in self._may_leave:
            self.blame("left a latched mode by itself")
        if left and self.mode == "idle" and not self._may_leave:
            self.blame("left idle by itself")
        if mode != "running":
            return
        if not self._run:
            self.blame("ran in no run")
        for cause, from_s in self._causes.items():
            if now_s >= from_s:
                self.blame(f"ran with trouble: {cause}")
        for cause, from_s in self._latches.items():
            if now_s >= from_s:
                self.blame(f"went on by itself after: {cause}")
        if now_s - self._arm_s > self.limits.state_timeout_s + self._blur_s:
            self.blame("ran without a report of the arm")
        since_s = max(self._ran_s, self._word_s)
        patience_s = FIRST_PLAN_S if self._first_plan else HOLD_PATIENCE_S
        if now_s - since_s > patience_s + 0.15:
            self.blame("went on by itself after a long hold")
        if self._licence is None:
            self.blame("ran without a plan")
        elif now_s > self._licence.until_s + self.limits.plan_timeout_s + self._blur_s:
            self.blame("ran beyond the horizon of its plan")

    def _judge_motion(self, now_s: float, dt_s: float, pose: NDArray[Any] | None, mode: str) -> None:
        before, last = self.mode, self._pose
        if dt_s > WOKEN_S and pose is not None and self._arm is not None and _apart(pose, self._arm)[0] < 0.005:
            last = None  # it begins anew where the arm is
        self._rest_first |= now_s >= self._causes.get("clock", inf)
        if self._rest_first and mode == "running":
            self.blame("went on before it was at rest after a fault of the clock")
        if pose is None or last is None or max(_apart(pose, last)) <= _TINY:
            self._rest_first = False
        if mode == "running":
            self._rest_by_s = inf
        elif before == "running" or self._rest_by_s == inf:
            self._rest_by_s = now_s + self._braking_s() + 2 * max(dt_s if dt_s < 0.1 else 0.0, 0.03)
        if pose is None or last is None or dt_s <= 0.0:
            return
        shift, turn = _apart(pose, last)
        if shift > _TINY or turn > _TINY:
            if mode == "stopped" and before == "stopped":
                self.blame("moved while stopped")
            if mode != "running" and now_s > self._rest_by_s:
                self.blame("moved on while not running")
            if mode == "idle" and before == "idle" and now_s > self._rest_by_s:
                self.blame("moved while idle")
        self._speed, self._turning = shift / max(dt_s, 1e-3), turn / max(dt_s, 1e-3)

    def _judge_rest(self, now_s: float, dt_s: float, pose: NDArray[Any] | None, mode: str) -> None:
        """An arm that rests: whoever has moved it must not see it pulled back."""
        if mode == "running" or pose is None or self._pose is None or max(_apart(pose, self._pose)) > _TINY:
            self._still_s = now_s
        silent = now_s - self._arm_s > self.limits.state_timeout_s + self._blur_s
        far = (0.0, 0.0) if self._arm is None or pose is None else _apart(pose, self._arm)
        most = MOVED if mode in LATCHED or dt_s > WOKEN_S else PUSHED
        astray = silent or far[0] > most[0] or far[1] > most[1]
        if astray and dt_s > WOKEN_S and pose is not None:
            self.blame("called an arm anywhere after it was held up")
        self._astray = self._astray + 1 if astray and now_s - self._still_s >= RESTED_S else 0
        if self._astray > 3:  # one call to notice, and one to come to rest
            self.blame("called an arm that is silent" if silent else "called an arm back that was moved")

    def _braking_s(self) -> float:
        """How long braking from the present speed takes at most, if it begins now."""
        m, longest = self.limits, 0.0
        for v, top, accel, jerk in (
            (self._speed, m.speed_m_s, m.accel_m_s2, m.jerk_m_s3),
            (self._turning, m.rot_speed_rad_s, m.rot_accel_rad_s2, m.rot_jerk_rad_s3),
        ):
            accel = min(accel, jerk * AVERAGE_S / 2)
            if accel > 0.0:
                # What is commanded lags behind what is averaged, which may have become faster meanwhile.
                longest = max(longest, min(top, v + accel * AVERAGE_S) / accel)
        return longest + AVERAGE_S

    def _judge_gripper(self, gripper: float | None, mode: str) -> None:
        if gripper is None:
            return
        if mode != "running":
            self.blame("the gripper was told something while not running")
            return
        if not (isfinite(gripper) and 0.0 <= gripper <= 1.0):
            return self.blame("the gripper was told nonsense")
        if self._gripper is None:  # the first one
            allowed = [(value, value) for value in self._seats]
        else:
            allowed = [(self._gripper, self._gripper), *(self._licence.gripper if self._licence is not None else [])]
        if not any(low - 1e-6 <= gripper <= high + 1e-6 for low, high in allowed):
            self.blame("the gripper moved unasked")
        self._gripper = gripper

    def twist(self, now_s: float, linear: Vec, angular: Vec, mode: str) -> None:
        """What left for an arm that follows velocities, m/s and rad/s, after :meth:`tick`."""
        m, (last_s, before, turned) = self.limits, self._twist
        dt_s = now_s - last_s
        self._twist = now_s, linear, angular
        for name, new, old, most, accel in (
            ("twist", linear, before, m.speed_m_s, m.accel_m_s2),
            ("turn", angular, turned, m.rot_speed_rad_s, m.rot_accel_rad_s2),
        ):
            if not hypot(*new) <= most * (1 + 1e-6) + _TINY:
                self.blame(f"a {name} beyond its speed")
            change = hypot(*(a - b for a, b in zip(new, old, strict=True)))
            if any(new) and change > accel * dt_s * (1 + 1e-6) + _TINY:
                self.blame(f"a {name} beyond its acceleration")
            if any(new) and mode == "stopped":  # a fault brakes
                self.blame(f"a {name} while stopped")
            if any(new) and mode != "running" and now_s > self._coasts_until_s:
                self.blame(f"a {name} while not running")
        if mode == "running":
            self._coasts_until_s = inf
        elif self._coasts_until_s == inf:
            pairs = (m.speed_m_s, m.accel_m_s2), (m.rot_speed_rad_s, m.rot_accel_rad_s2)
            self._coasts_until_s = now_s + max(speed / accel if accel > 0.0 else 0.0 for speed, accel in pairs) + 0.06

    def _judge_following(self, now_s: float, pose: NDArray[Any] | None, mode: str) -> None:
        arm, m = self._arm, self.limits
        if mode != "running" or pose is None or arm is None:
            return self._track.clear()
        outside = max(*(np.asarray(m.box_min_m) - arm[:3]), *(arm[:3] - np.asarray(m.box_max_m)))
        if outside > OUTSIDE_M:
            self.blame("ran while the arm was outside the box")
        if _lean(arm) > m.tilt_rad + OUTSIDE_RAD:
            self.blame("ran while the tool leaned over")
        self._track.append((now_s, arm, pose))
        while now_s - self._track[0][0] > UNFOLLOWED_S + 0.1:
            self._track.popleft()
        since_s = now_s - self._track[0][0]
        if since_s < UNFOLLOWED_S:
            self._well_s = dict.fromkeys(((what, k) for what in ("elsewhere", "led away") for k in (0, 1)), now_s)
            return
        for k, (speed, leash) in enumerate(((m.speed_m_s, m.leash_m), (m.rot_speed_rad_s, m.leash_rad))):
            made = [_apart(then, arm)[k] for _, then, _ in self._track]
            lags = [_apart(then, target)[k] for _, then, target in self._track]
            if max(made) < STILL[k] and min(lags) > max(LAG * leash, 2 * STILL[k]):
                self.blame("ran while the arm did not follow")
            off = min(_apart(arm, target)[k] for _, _, target in self._track)
            for what, far in (("elsewhere", off > AWAY[k]), ("led away", made[0] > speed * since_s + LED[k])):
                if not far:
                    self._well_s[what, k] = now_s
                elif now_s - self._well_s[what, k] > ELSEWHERE_S:
                    self.blame(f"ran while the arm was {what}")


def _apart(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """How far two poses ``(6,)`` are apart, m and (as far as the tool points down) rad."""
    x, y, z, *turns = (a - b).tolist()
    return hypot(x, y, z), hypot(*(remainder(turn, tau) for turn in turns))


def _lean(pose: Sequence[float] | NDArray[Any]) -> float:
    """How far the tool leans from straight down, rad: the angle of R z to -z."""
    roll, pitch = float(pose[3]), float(pose[4])
    return float(np.arccos(np.clip(-np.cos(pitch) * np.cos(roll), -1.0, 1.0)))
