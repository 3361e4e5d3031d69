"""The safety limits: ceilings that are constants of this code, and a configuration that can only tighten them.

The planner's guardrails and the controller's envelope both start from here and apply the limits independently.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .errors import ConfigError

# Each ceiling names its source. They are far below the arm's own limits on purpose: the arm's limits protect the arm,
# these protect people and tables.
CEILING = {
    # ISO 10218-1 reduced speed: 0.25 m/s at the TCP.
    "speed_m_s": 0.25,
    # A 0.5 rad/s turn moves a fingertip 0.1 m off the wrist axis at 0.05 m/s; FR3 itself allows 2.5 rad/s.
    "rot_speed_rad_s": 0.5,
    # FR3 allows 9 m/s2, FER 13 (libfranka rate_limiting.h); stopping from 0.25 m/s within 16 mm needs 2.
    "accel_m_s2": 2.0,
    # FR3 allows 17 rad/s2; stopping from 0.5 rad/s within 0.03 rad needs 4.2.
    "rot_accel_rad_s2": 4.0,
    # FR3 allows 4500 m/s3 and 8500 rad/s3, FER 6500 and 12500 (rate_limiting.h). These turn full acceleration into full
    # braking within 0.1 s, as long as a Franka that follows by impedance takes to answer anyway.
    "jerk_m_s3": 40.0,
    "rot_jerk_rad_s3": 80.0,
    # One plan step; V-JEPA 2-AC's own planner clips at 0.075 m (facebookresearch/vjepa2).
    "step_m": 0.075,
    "step_rad": 0.30,
    # The tool may lean, never point sideways: beyond 0.5 rad a Robotiq's fingers meet the table before the TCP does.
    "tilt_rad": 0.5,
    # CRISP's "clipped" preset saturates at 0.01 m / 25 N; 0.05 m of lag means that the arm is blocked.
    "leash_m": 0.05,
    "leash_rad": 0.35,
    # Command loss and state loss (shared lab practice: 3 plan periods at 10 Hz, 10 state periods at 50 Hz).
    "plan_timeout_s": 0.3,
    "state_timeout_s": 0.2,
}

#: How long a plan may be executed before a newer one must have come: three steps of JEPA-WMs' planner for DROID
#: (facebookresearch/jepa-wms), the longest that a published planner executes open loop.
HORIZON_S = 3.0
#: No planner here looks further ahead than some tens of steps; a longer plan is a mistake, and costs time to read.
MAX_STEPS = 256
#: How far back measured states are kept, to find the pose at a plan's stamp. No plan, and nothing that one is made
#: from, may be older.
HISTORY_S = 2.0
#: The period of one plan step: not shorter than a tick at 50 Hz, and not longer than the controller remembers measured
#: poses at which a plan could be anchored.
PERIOD_MIN_S, PERIOD_MAX_S = 0.02, 2.0

#: The highest contact at which a configuration may stop the arm. Force: what ISO/TS 15066 (table A.2) permits in
#: clamping for the most tender part of the body, the face. Torque: that force on the longest lever, Franka's reach of
#: 0.855 m, because franka_ros2 refers the torque of external_wrench_in_base_frame to the base.
FORCE_CEILING_N, TORQUE_CEILING_NM = 65.0, 55.0

#: The TCP never leaves this box: Franka's reach is 0.855 m, and below z = 0 is the table.
BOX_CEILING_MIN_M = (0.20, -0.45, 0.0)
BOX_CEILING_MAX_M = (0.75, 0.45, 0.70)

#: Joint position limits in rad (franka_description, joint_limits.yaml of fr3 and fer; the FER was sold as Panda).
JOINTS_RAD: dict[str, tuple[tuple[float, float], ...]] = {
    "fr3": (
        (-2.7437, 2.7437),
        (-1.7837, 1.7837),
        (-2.9007, 2.9007),
        (-3.0421, -0.1518),
        (-2.8065, 2.8065),
        (0.5445, 4.5169),
        (-3.0159, 3.0159),
    ),
    "fer": (
        (-2.8973, 2.8973),
        (-1.7628, 1.7628),
        (-2.8973, 2.8973),
        (-3.0718, -0.0698),
        (-2.8973, 2.8973),
        (-0.0175, 3.7525),
        (-2.8973, 2.8973),
    ),
}
#: The least distance from a joint's end, rad: the margin of MoveIt Servo's Panda configuration.
JOINT_MARGIN_FLOOR_RAD = 0.1
#: The largest condition number of the Jacobian (m and rad): where MoveIt Servo's Panda configuration halts.
CONDITION_CEILING = 30.0
#: No Franka moves its TCP faster (FER 1.7 m/s, FR3 3.0 m/s; both 2.5 rad/s; libfranka rate_limiting.h): a measured pose
#: that does has not moved, it has jumped. The slack is for the time stamps' jitter.
POSSIBLE_SPEED_M_S, POSSIBLE_TURN_RAD_S = 1.7, 2.5
JUMP_SLACK_M, JUMP_SLACK_RAD = 0.02, 0.1
#: How far an arm that was started may be measured outside box and tilt cone: it stands 0.01 m and 0.08 rad off its
#: target (CRISP's "clipped" preset), and swings a little.
OUTSIDE_SLACK_M, OUTSIDE_SLACK_RAD = 0.02, 0.1


@dataclass(frozen=True)
class Limits:
    """Limits of one run, in the robot's base frame, all about the TCP. Zero is a limit like any other: "no motion".

    Raises ConfigError where a value is not a finite number, is negative, or is looser than its ceiling.
    """

    box_min_m: tuple[float, float, float] = (0.25, -0.35, 0.02)
    box_max_m: tuple[float, float, float] = (0.70, 0.35, 0.60)
    speed_m_s: float = 0.10
    rot_speed_rad_s: float = 0.3
    accel_m_s2: float = 0.5
    rot_accel_rad_s2: float = 1.0
    jerk_m_s3: float = 40.0
    rot_jerk_rad_s3: float = 80.0
    step_m: float = 0.05
    step_rad: float = 0.15
    tilt_rad: float = 0.5
    leash_m: float = 0.05
    leash_rad: float = 0.35
    plan_timeout_s: float = 0.3
    state_timeout_s: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not np.all(np.isfinite(np.asarray(value, dtype=np.float64))):
                raise ConfigError(f"limit {field.name} = {value} is not a finite number")
        for name, ceiling in CEILING.items():
            value = getattr(self, name)
            if not 0.0 <= value <= ceiling:
                raise ConfigError(f"limit {name} = {value} is outside 0..{ceiling}; configuration can only tighten it")
        for axis, low, high, least, most in zip(
            "xyz", self.box_min_m, self.box_max_m, BOX_CEILING_MIN_M, BOX_CEILING_MAX_M, strict=True
        ):
            if not least <= low <= high <= most:
                raise ConfigError(
                    f"workspace box in {axis} = {low}..{high} m must lie within {least}..{most} m, lower end first"
                )
