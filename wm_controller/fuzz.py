"""Adversarial sessions with the real controller core, judged by the independent monitor.

``python -m wm_controller.fuzz --sequences 10000 --seed 0`` runs them and prints what was found; sequence k has the seed
``seed + k``, so that ``--sequences 1 --seed N`` repeats a single one. Limits, rates, inputs, times and faults are all
drawn from the seed. The command of every tick is judged: box, tilt, speed, acceleration, jerk, stop, leash, gripper,
and that nothing moves for long once the controller does not say "running".
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from wm_core.limits import BOX_CEILING_MAX_M, BOX_CEILING_MIN_M, CEILING, JOINTS_RAD, Limits
from wm_core.pose import integrate
from wm_core.robot_health import RobotHealth

from .controller import ArmState, Command, Controller, ControllerConfig, Plan
from .interpolate import WINDOW_S
from .monitor import EnvelopeMonitor

DOWN = np.array([0.45, 0.0, 0.3, np.pi, 0.0, 0.3])
HOME_RAD = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])
BAD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e9)
MODES = ("OTHER", "IDLE", "MOVE", "GUIDING", "REFLEX", "USER_STOPPED", "AUTOMATIC_ERROR_RECOVERY", "")

LIMITS = {
    "defaults": Limits(),
    "ceilings": Limits(box_min_m=BOX_CEILING_MIN_M, box_max_m=BOX_CEILING_MAX_M, **CEILING),
    "small box, slow brakes": Limits(
        (0.43, -0.02, 0.29), (0.47, 0.02, 0.31), 0.25, 0.5, accel_m_s2=0.2, rot_accel_rad_s2=0.3, tilt_rad=0.1
    ),
    "little jerk": Limits(speed_m_s=0.25, accel_m_s2=2.0, rot_accel_rad_s2=4.0, jerk_m_s3=3.0, rot_jerk_rad_s3=5.0),
    "short leash": Limits(speed_m_s=0.25, accel_m_s2=2.0, leash_m=0.01, leash_rad=0.05),
    "no turning": Limits(rot_speed_rad_s=0.0),
    "no motion": Limits(speed_m_s=0.0, accel_m_s2=0.0, rot_accel_rad_s2=0.0),
}


@dataclass
class Found:
    """What came out of one or many sessions."""

    ticks: int = 0
    commands: int = 0
    path_m: float = 0.0
    modes: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=list)  # of the sessions with a violation

    def add(self, other: Found) -> None:
        self.ticks += other.ticks
        self.commands += other.commands
        self.path_m += other.path_m
        self.modes += other.modes
        self.violations += other.violations
        self.seeds += other.seeds
        for kind, size in other.worst.items():
            self.worst[kind] = max(self.worst.get(kind, 0.0), size)


class Session:
    """One controller, started, with an arm below it, and everything that can go wrong drawn from ``seed``.

    Args:
        seed: of all that happens.
        limits: None draws one of LIMITS.
    """

    def __init__(self, seed: int, limits: Limits | None = None) -> None:
        self.seed, self.rng = seed, np.random.default_rng(seed)
        rng = self.rng
        names = list(LIMITS)
        self.limits = LIMITS[names[rng.integers(len(names))]] if limits is None else limits
        self.config = ControllerConfig(
            limits=self.limits,
            execute_steps=int(rng.integers(1, 4)),
            force_hold_n=15.0 if rng.random() < 0.3 else None,
            force_stop_n=30.0 if rng.random() < 0.3 else None,
            robot=("fr3", "fer", None)[rng.integers(3)],
        )
        self.controller = Controller(self.config)
        # Judged without an allowance for the clock's resolution where the clock starts at zero.
        self.now = 1.7e9 if rng.random() < 0.2 else 0.0
        self.monitor = EnvelopeMonitor(self.limits)
        self.arm = np.append(DOWN + rng.normal(0, 0.003, 6), 0.0)
        self.push = np.zeros(7)
        self.seen = self.arm[:6].copy()  # the newest state that the controller accepted
        self.silent_until = self.flood_until = self.pushed_until = -math.inf
        self.tells_robot, self.tells_joints, self.tells_nodes = (rng.random(3) < 0.3).tolist()
        self.wrench = not (self.config.force_hold_n is None and self.config.force_stop_n is None)
        self.chaos = rng.choice([0.2, 1.0, 3.0])  # how often things go wrong
        self.low, self.high = ((0.005, 0.04), (0.015, 0.025), (0.001, 0.06))[rng.integers(3)]
        self._still_since, self._was = math.inf, ""
        self._last: np.ndarray | None = None  # commanded at the last tick

    def run(self, ticks: int) -> Found:
        """Play ``ticks`` ticks and say what was found."""
        found = Found()
        self.controller.on_state(ArmState(self.now, self.arm[:6], self.arm[6], self._wrench()), self.now)
        self.controller.start(self.now)
        for _ in range(ticks):
            stepped = self._time()
            resumed = self._people()
            self._inputs()
            command = self.controller.tick(self.now)
            stopped = command.mode == "stopped"
            broken = self.monitor.check(
                self.now, command.pose, stopped=stopped, measured=self.seen, gripper=command.gripper
            )
            broken += self._unexpected(command, stepped, resumed)
            found.violations.update(broken)
            found.modes[command.mode] += 1
            if command.pose is not None:
                if self._last is not None:
                    found.path_m += float(np.linalg.norm(command.pose[:3] - self._last[:3]))
                self.arm[:3] += self.rng.uniform(0.0, 0.6) * (command.pose[:3] - self.arm[:3])
                if self.rng.random() < 0.3:
                    self.arm[3:6] = command.pose[3:6]
            self._last, self._was = command.pose, command.mode
        found.ticks, found.commands, found.worst = ticks, self.monitor.commands, dict(self.monitor.worst)
        found.seeds = [self.seed] if found.violations else []
        return found

    def _happens(self, share: float) -> bool:
        return bool(self.rng.random() < share * self.chaos)

    def _time(self) -> bool:
        """Let a tick's time pass. Returns whether the stream may have started again from rest."""
        rng, passed, was_set = self.rng, self.rng.uniform(self.low, self.high), False
        if self._happens(0.004):
            passed += rng.uniform(0.05, 3.0)  # the process was suspended
        elif self._happens(0.003):
            was_set = True  # the clock of the stamps
        elif self._happens(0.004):
            passed = 0.0  # a timer that fires twice
        self.now += passed
        self.controller.trouble("clock", "the clock was set" if was_set else "")
        if self.now < self.pushed_until:
            self.arm = integrate(self.arm, self.push * passed)
        return passed > 0.06

    def _people(self) -> bool:
        """Operators and people beside the arm. Returns whether one of them resumed."""
        rng = self.rng
        if self._happens(0.004):
            self.controller.stop(self.now)
            return False  # nobody resumes within a tick; the monitor has to hear of the stop
        elif self._happens(0.003):
            self.controller.start(self.now)
        elif self._happens(0.003):  # somebody pushes the arm
            self.push, self.pushed_until = rng.normal(0, 0.5, 7), self.now + rng.uniform(0.05, 0.5)
        elif self._happens(0.001):
            self.arm = integrate(self.arm, rng.normal(0, 0.1, 7))  # a measured pose that jumps
        if rng.random() < 0.03:
            self.controller.resume(self.now)
            return True
        return False

    def _wrench(self) -> np.ndarray | None:
        if not self.wrench or self._happens(0.005):
            return None
        wrench = self.rng.normal(0, 2.0, 6) + (40.0 if self._happens(0.003) else 0.0)
        if self._happens(0.005):
            wrench[self.rng.integers(6)] = self.rng.choice(BAD[:3])
        return wrench

    def _inputs(self) -> None:
        rng, now = self.rng, self.now
        if self._happens(0.004):
            self.silent_until = now + rng.uniform(0.1, 0.6)  # the arm's driver hangs
        if self._happens(0.002):
            self.flood_until = now + 0.1
        if not now < self.silent_until <= now + 1.0:
            for pose, stamp in self._states():
                if not self.controller.on_state(ArmState(stamp, pose, rng.random(), self._wrench()), now):
                    self.seen = pose
        flood = now < self.flood_until <= now + 1.0
        for _ in range(20 if flood else int(rng.random() < 0.08)):
            stamp, period = now - rng.uniform(0.0, 0.3), rng.choice([0.1, 0.25, 1.0])
            if self._happens(0.05):
                stamp = now + rng.choice([-3.0, 1.0, math.nan, math.inf])
            if self._happens(0.03):
                period = rng.choice([0.0, -1.0, math.nan])
            self.controller.on_plan(Plan(stamp, period, self._deltas()), now)  # type: ignore[arg-type]
        if self.tells_robot:
            mode, rate = MODES[rng.integers(len(MODES))] if self._happens(0.01) else "MOVE", rng.choice([1.0, 0.95])
            errors = ("joint_reflex",) if self._happens(0.003) else ()
            rate = rng.choice([0.5, math.nan]) if self._happens(0.01) else rate
            self.controller.on_robot(RobotHealth(now - rng.uniform(0.0, 0.05), mode, errors, rate), now)
        if self.tells_joints:
            joints = HOME_RAD + rng.normal(0, 0.01, 7)
            if self._happens(0.01):
                joints[rng.integers(7)] = rng.choice([*BAD[:3], JOINTS_RAD["fr3"][3][1], 0.0])
            self.controller.on_joints(now - rng.uniform(0.0, 0.05), joints, now)
        if self.tells_nodes and rng.random() < 0.5:
            self.controller.on_heartbeat(("planner", "encoder", "nobody")[rng.integers(3)], now)

    def _states(self) -> Iterator[tuple[np.ndarray, float]]:
        rng, now, pose = self.rng, self.now, self.arm[:6].copy()
        stamp = now - rng.uniform(0.0, 0.02)
        if self._happens(0.02):
            stamp = now + rng.choice([-1.0, 1.0, math.nan, math.inf])
        if self._happens(0.02):
            pose[rng.integers(6)] = rng.choice(BAD[:3])
        yield pose, stamp
        if self._happens(0.02):
            yield pose, stamp - 0.01  # packets that overtook each other

    def _deltas(self) -> object:
        """Mostly plausible steps in one direction, sometimes nonsense."""
        rng, steps = self.rng, int(self.rng.integers(1, 5))
        deltas = rng.normal(0, 0.03, (1, 7)) * np.ones((steps, 1)) + rng.normal(0, 0.01, (steps, 7))
        deltas[:, 3:6] *= 4.0
        deltas[:, 6] = rng.normal(0, 0.5, steps)
        if self._happens(0.05):
            deltas[rng.integers(steps), rng.integers(7)] = rng.choice(BAD)
        elif self._happens(0.05):
            deltas *= 10.0 ** rng.integers(1, 300)
        elif self._happens(0.05):
            bad = [np.zeros(shape) for shape in ((2, 6), (7,), (0, 7), (1, 2, 7), (1000, 7))]
            return [*bad, None, "forward", [[1], [2, 3]]][rng.integers(8)]
        return deltas

    def _unexpected(self, command: Command, stepped: bool, resumed: bool) -> list[str]:
        """What the monitor, which sees no modes, cannot know."""
        out = []
        if self._was in ("stopped", "fault") and command.mode not in ("stopped", "fault") and not resumed:
            out.append("left a latched mode by itself")
        if bool(command.reason) == (command.mode == "running"):
            out.append("a reason while running, or none while not")
        if command.mode == "running" or stepped or self._last is None or command.pose is None:
            self._still_since = self.now
        elif not np.array_equal(command.pose, self._last) and self.now - self._still_since > self._braking_s:
            out.append("moved on while not running")
        return out

    @property
    def _braking_s(self) -> float:
        """How long braking from full speed takes at most, with the average behind it and two ticks."""
        m = self.limits
        pairs = (m.speed_m_s, m.accel_m_s2, m.jerk_m_s3), (m.rot_speed_rad_s, m.rot_accel_rad_s2, m.rot_jerk_rad_s3)
        longest = (v / min(a, j * WINDOW_S / 2) if a > 0.0 and j > 0.0 else 0.0 for v, a, j in pairs)
        return max(longest) + WINDOW_S + 0.15


def main() -> int:
    from tqdm import tqdm

    parser = argparse.ArgumentParser(description="adversarial sessions with the controller core")
    parser.add_argument("--sequences", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    parser.add_argument("--ticks", type=int, default=150, help="per sequence")
    args = parser.parse_args()
    total = Found()
    with tqdm(range(args.seed, args.seed + args.sequences), unit="sequence") as bar:
        for seed in bar:
            total.add(Session(seed).run(args.ticks))
            if seed % 20 == 0:
                bar.set_postfix(violations=sum(total.violations.values()))
    count = sum(total.violations.values())
    print(f"sequences    {args.sequences}, seeds {args.seed}..{args.seed + args.sequences - 1}")
    print(f"ticks        {total.ticks}, of which commands {total.commands}; path {total.path_m:.1f} m")
    print(f"modes        {', '.join(f'{mode} {n}' for mode, n in total.modes.most_common())}")
    print(f"violations   {count}" + "".join(f", {kind} {n}" for kind, n in total.violations.items()))
    # Zero is no limit that a share could be taken of; there the largest value is told, which must be 0.
    print(f"worst/limit  {', '.join(f'{kind} {size:.5f}' for kind, size in total.worst.items() if size > 0.0) or '-'}")
    if total.seeds:
        print(f"seeds        {' '.join(map(str, total.seeds[:20]))}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
