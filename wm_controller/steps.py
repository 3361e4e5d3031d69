"""The plan in execution: which plans are taken, and the targets of their steps within the envelope."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wm_core.limits import CEILING, HORIZON_S, MAX_STEPS, PERIOD_MAX_S, PERIOD_MIN_S
from wm_core.pose import GRIPPER_DEADBAND  # so that a grasp keeps squeezing

from .envelope import Envelope
from .inputs import Measured, Past, numbers, stamp_fault
from .interface import ControllerConfig, Plan
from .spatial import IDENTITY, Quat, Vec, add, minus, quaternion, scaled, turn_between, turned

#: A smaller rotation is rounding: the plan does not turn.
NO_TURN_RAD = 1e-6
#: A delta beyond this multiple of what one step may be (for the gripper: of its whole way) is not a step that is a
#: little too long, which is shortened: it is no step at all, and what else the plan says is not believed either.
NO_STEP = 3.0


@dataclass(frozen=True)
class Step:
    """One executed step: where to be at ``end_s``, the way there (m, rad) and its mean velocity (m/s, rad/s)."""

    end_s: float
    position: Vec
    rotation: Quat
    gripper: float | None
    velocity: Vec
    turning: Vec
    way: Vec  # of this step alone, as far as box and tilt cone let it
    twist: Vec
    clips: frozenset[str]


def _too_far(deltas: list[list[float]]) -> str:
    """Why one of the deltas is no step, as a sentence; "" if all are."""
    for k, (x, y, z, roll, pitch, yaw, close) in enumerate(deltas):
        for name, size, unit, most in (
            ("moves", math.hypot(x, y, z), "m", CEILING["step_m"]),
            ("turns", math.hypot(roll, pitch, yaw), "rad", CEILING["step_rad"]),
            ("closes the gripper by", abs(close), "of its way", 1.0),
        ):
            if not size <= NO_STEP * most:
                return (
                    f"step {k + 1} of the plan {name} {size:.4g} {unit}, more than {NO_STEP:g} times {most:g}; "
                    "look at the planner's units and scale"
                )
    return ""


class Steps:
    """At most one plan, anchored at the pose measured at its stamp.

    A plan that turns nowhere keeps the commanded orientation instead. Otherwise the target would follow an arm that
    leans a little behind it, plan for plan, until the tool lies.

    Attributes:
        stamp_s: of the newest plan that was taken; None before the first. Older ones are refused, also after it.
    """

    def __init__(self, config: ControllerConfig, envelope: Envelope) -> None:
        self._config, self._envelope = config, envelope
        self._from_s = -math.inf  # older plans are stale
        self.stamp_s: float | None = None
        self._steps: list[Step] = []
        self._onward: list[Step] = []
        self._index = -1  # of the step in execution; -1 before the first

    def forget(self, from_s: float) -> None:
        """Drop the plan, and refuse those from before ``from_s``."""
        self._from_s, self.stamp_s = from_s, None
        self.drop()

    def drop(self) -> None:
        """Drop the plan; newer ones than it may come."""
        self._steps = []

    def take(self, plan: Plan, now_s: float, past: Past, facing: Quat | None) -> str:
        """Replace the plan in execution. Returns why the new one cannot be used, or "".

        ``facing`` is the commanded orientation; None where nothing is commanded yet.
        """
        count = len(plan.deltas) if hasattr(plan.deltas, "__len__") else 0
        if count > MAX_STEPS:  # asked first: it costs time to look at millions of numbers
            return f"the plan has {count} steps; it must have 1 to {MAX_STEPS}"
        deltas, fault = numbers(plan.deltas, (None, 7), "the plan")
        if fault:
            return fault
        if not deltas:
            return f"the plan has no steps; it must have 1 to {MAX_STEPS}"
        if not PERIOD_MIN_S <= plan.step_period_s <= PERIOD_MAX_S:
            return f"the plan's step period is {plan.step_period_s} s; it must be {PERIOD_MIN_S} to {PERIOD_MAX_S} s"
        if fault := _too_far(deltas):
            return fault
        fault = stamp_fault("the plan", plan.stamp_s, now_s, self._config.plan_max_age_s)
        if fault:
            return fault
        if plan.stamp_s < self._from_s:
            return "the plan was made before the last start or resume, or before the clock was set; wait for the next"
        if self.stamp_s is not None and plan.stamp_s < self.stamp_s:
            return f"the plan is {self.stamp_s - plan.stamp_s:.3f} s older than the one before it; see who else plans"
        executed = min(len(deltas), self._config.execute_steps)
        if executed * plan.step_period_s > HORIZON_S + 1e-9:
            return (
                f"{executed} steps of {plan.step_period_s} s would be executed unattended, longer than {HORIZON_S} s; "
                "lower execute_steps"
            )
        late_s = now_s - (plan.stamp_s + executed * plan.step_period_s)
        if late_s > self._config.limits.plan_timeout_s:
            return f"the plan came {late_s:.2f} s after its last step should have ended; plan faster"
        anchor = past.at(plan.stamp_s)
        if anchor is None:
            return (
                "no arm state is known for the time that the plan was made from; compare the clocks of arm and camera"
            )
        # One step more than is executed: its velocity tells how fast the last executed step may end.
        seen = deltas[: executed + 1]
        if facing is not None and all(abs(angle) <= NO_TURN_RAD for step in seen for angle in step[3:6]):
            anchor = replace(anchor, rotation=facing)
        steps = list(self._targets(anchor, plan, seen))
        self._steps, self._onward = steps[:executed], steps[executed:]
        self._index, self.stamp_s = -1, plan.stamp_s
        return ""

    def hold(self, now_s: float) -> str:
        """Why there is nothing to follow, "" if there is something."""
        if not self._steps:
            return "waiting for a plan"
        overdue_s = now_s - self._steps[-1].end_s
        if not overdue_s <= self._config.limits.plan_timeout_s:
            ended = f"plan watchdog: the last plan ended {overdue_s:.2f} s ago"
            return f"{ended}; see whether the planner still plans, and how fast"
        return ""

    def begun(self, now_s: float) -> Iterator[Step]:
        """The steps whose time has come since the last call, also those that a hold has eaten: one may have a grasp."""
        last = len(self._steps) - 1
        while self._index < 0 or (self._index < last and now_s > self._steps[self._index].end_s):
            self._index += 1
            yield self._steps[self._index]

    def at(self, now_s: float) -> tuple[Step, Step | None]:
        """The step in execution and, until it ends, the one after it."""
        step = self._steps[self._index]
        following = [*self._steps, *self._onward][self._index + 1 :]
        return step, following[0] if following and now_s < step.end_s else None

    def _targets(self, anchor: Measured, plan: Plan, deltas: list[list[float]]) -> Iterator[Step]:
        position, rotation, gripper = anchor.position, anchor.rotation, anchor.gripper
        before, faced = self._envelope.clip_position(position), self._envelope.clip_rotation(rotation)
        for k, (x, y, z, roll, pitch, yaw, close) in enumerate(deltas):
            turn = turn_between(IDENTITY, quaternion(roll, pitch, yaw))
            shift, turn, clipped = self._envelope.clip_step((x, y, z), turn)
            position, rotation = add(position, shift), turned(rotation, turn)
            inside, upright = self._envelope.clip_position(position), self._envelope.clip_rotation(rotation)
            moves = abs(close) >= GRIPPER_DEADBAND
            if moves:
                gripper = min(1.0, max(0.0, gripper + close))
            hits = {"step": clipped, "box": inside != position, "tilt": upright is not rotation}
            yield Step(
                end_s=plan.stamp_s + (k + 1) * plan.step_period_s,
                position=inside,
                rotation=upright,
                gripper=gripper if moves else None,
                velocity=scaled(shift, 1 / plan.step_period_s),
                turning=scaled(turn, 1 / plan.step_period_s),
                way=minus(inside, before),
                twist=turn_between(faced, upright),
                clips=frozenset(name for name, hit in hits.items() if hit),
            )
            before, faced = inside, upright
