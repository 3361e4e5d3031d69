"""Training data from the simulator: a scripted expert with noise, and play. No rewards, no labels, no ground truth.

An episode holds what a real arm could have recorded: frames, measured states, the actions that were asked for, and what
the arm made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_controller.controller import ControllerConfig
from wm_core import seeds
from wm_core.axes import Axes
from wm_core.errors import ConfigError
from wm_core.limits import Limits
from wm_core.pose import difference, matrix_to_euler
from wm_data.episode import SIMULATOR, VERSION, ActionRange, CameraSpec, DataSpec, Episode
from wm_data.formats import DEFAULT, opened
from wm_sim.expert import CLOSE, KEEP, OPEN, Expert
from wm_sim.scene import CUBE_HALF_M, HOME_POSE, Camera, PandaScene, sample_place

from .loop import ClosedLoop
from .workers import work

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CollectConfig:
    """What is collected. A change of any of these needs an empty data folder."""

    episodes: int = 2400
    steps: int = 28
    seed: int = 0
    image_px: int = 64
    step_period_s: float = 0.25
    step_m: float = 0.05
    #: Shares of the episodes: noisy expert, play around the cube; the rest plays anywhere.
    expert_share: float = 0.5
    near_share: float = 0.35
    latency_max_s: float = 0.08
    #: The last of the episodes, this share of all, start with the cube in the gripper: carrying and releasing come at
    #: the end of a pick and place, and would otherwise be rare.
    held_share: float = 0.25
    #: The camera of each episode stands turned by up to this to either side, so that a model learns to see from there.
    azimuth_range_deg: float = 0.0
    #: Record states and actions in axes that turn with the camera, as a model has them that knows no base frame: it
    #: then needs the calibration of 'wm calibrate' for any one camera, and no camera is new to it.
    camera_axes: bool = False

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ConfigError(f"episodes = {self.episodes} are none; give a number of 1 or more")
        if not 0.0 <= self.azimuth_range_deg <= 180.0:
            raise ConfigError(f"azimuth_range_deg = {self.azimuth_range_deg} must lie within 0..180")

    @property
    def first_seed(self) -> int:
        """Of the scenes; the others follow."""
        return seeds.FIRST_TRAINING + self.seed * seeds.TRAINING_STRIDE

    def spec(self) -> DataSpec:
        """What holds for all of these episodes."""
        camera, px, step_m = Camera(), self.image_px, self.step_m
        focal_px = px / 2.0 / float(np.tan(np.radians(camera.fovy_deg) / 2.0))
        return DataSpec(
            version=VERSION,
            made_by="wm data generate",
            about=self._about(),
            world=SIMULATOR,
            episodes=self.episodes,
            step_period_s=self.step_period_s,
            image_px=(px, px),
            # Rotation is pinned: the data never turns the wrist.
            action=ActionRange(
                low=(-step_m, -step_m, -step_m, 0.0, 0.0, 0.0, -1.0),
                high=(step_m, step_m, step_m, 0.0, 0.0, 0.0, 1.0),
                gripper_levels=(OPEN, KEEP, CLOSE),
            ),
            frame="camera" if self.camera_axes else "base",
            camera=CameraSpec("exterior", focal_px, focal_px, px / 2.0, px / 2.0, "collision meshes, no shadows"),
            settings=asdict(self),
        )

    def _about(self) -> str:
        """For a model's card."""
        return (
            f"{self.episodes} episodes of {self.steps} steps of {self.step_period_s} s from `wm data generate`: "
            f"{self.expert_share:.0%} scripted expert with noise, {self.near_share:.0%} play around the cube, the "
            f"rest play anywhere; the last {self.held_share:.0%} start with the cube in the gripper. Steps of at "
            f"most {self.step_m * 100:.0f} cm, rotation pinned. Scenes have the seeds "
            f"{self.first_seed}..{self.first_seed + self.episodes - 1}; evaluation uses seeds below "
            f"{seeds.FIRST_TRAINING}. Frames, measured arm states and asked-for actions only: no rewards, no object "
            "poses."
        )


#: The envelope that the shipped model was trained and is evaluated under; see config/arms/sim.yaml.
SIM_LIMITS = Limits(speed_m_s=0.25, accel_m_s2=2.0, step_m=0.05)


#: The expert's waypoint after the lift.
_CARRY = 4


class NoisyExpert:
    """The expert, disturbed: missteps, changes of pace, a gripper that opens or closes when it should not.

    After a disturbance that lost the cube it starts over, so recoveries are in the data.
    """

    def __init__(self, scene: PandaScene, rng: np.random.Generator, step_m: float, holding: bool = False) -> None:
        self._scene, self._rng, self._step_m = scene, rng, step_m
        self._noise_m = rng.choice([0.0, 0.01, 0.02])
        self._pace = rng.uniform(0.5, 1.0)
        self._expert = Expert(scene, step_m * self._pace, retreat=False)
        if holding:
            self._expert.index = _CARRY

    def action(self, state: Array) -> Array:
        rng = self._rng
        self._expert.observe(state)
        cube = self._scene.cube_position()
        should_hold = 3 <= self._expert.index <= 6
        lost = should_hold and np.linalg.norm(cube - state[:3]) > 0.05
        if lost or (self._expert.done and rng.random() < 0.5):
            self._scene.goal_xy_m = sample_place(rng)
            self._expert = Expert(self._scene, self._step_m * self._pace, retreat=False)
            if state[6] > 0.3 and lost:
                return np.array([0, 0, 0.04, 0, 0, 0, OPEN])
        delta = self._expert.action(state)
        if rng.random() < 0.35:
            delta[:3] += rng.normal(0.0, self._noise_m, 3)
        if rng.random() < 0.04:
            delta[6] = rng.choice([OPEN, CLOSE])
        return delta


class Play:
    """Moves between random places, near the cube or anywhere, with a gripper that opens and closes at random."""

    def __init__(self, scene: PandaScene, rng: np.random.Generator, step_m: float, near: bool) -> None:
        self._scene, self._rng, self._step_m, self._near = scene, rng, step_m, near
        self._target = HOME_POSE[:3]
        self._left = 0

    def _next_target(self) -> Array:
        rng = self._rng
        if self._near and rng.random() < 0.75:
            spread = rng.choice([0.01, 0.03, 0.08])
            target = self._scene.cube_position() + rng.normal(0.0, spread, 3)
            target[2] = rng.choice([CUBE_HALF_M + 0.005, rng.uniform(0.03, 0.2)])
            return target
        x, y = sample_place(rng) + rng.normal(0.0, 0.04, 2)
        return np.array([x, y, rng.uniform(0.02, 0.34)])

    def action(self, state: Array) -> Array:
        rng = self._rng
        if self._left <= 0 or np.linalg.norm(self._target - state[:3]) < 0.01:
            self._target, self._left = self._next_target(), int(rng.integers(2, 9))
        self._left -= 1
        offset = self._target - state[:3]
        length = float(np.linalg.norm(offset))
        delta = np.zeros(7)
        delta[:3] = offset * min(1.0, self._step_m * rng.uniform(0.4, 1.0) / max(length, 1e-9))
        delta[:3] += rng.normal(0.0, 0.004, 3)
        near_cube = np.linalg.norm(self._scene.cube_position() - state[:3]) < 0.02
        toggle = 0.45 if near_cube and state[6] < 0.3 else 0.08
        if rng.random() < toggle:
            delta[6] = CLOSE if state[6] < 0.3 else OPEN
        return delta


def within(delta: Array, state: Array, limits: Limits) -> Array:
    """The delta shortened to the step limit and bent into the box, as the planner's guardrails would."""
    out = delta.copy()
    length = float(np.linalg.norm(out[:3]))
    out[:3] *= min(1.0, limits.step_m / max(length, 1e-9))
    out[:3] = np.clip(state[:3] + out[:3], limits.box_min_m, limits.box_max_m) - state[:3]
    out[6] = out[6] if out[6] in (OPEN, KEEP, CLOSE) else KEEP
    return out


def _take_cube(scene: PandaScene, rng: np.random.Generator) -> None:
    """Let the arm take the cube and carry it to a random place."""
    pose = HOME_POSE.copy()
    for height, closed, seconds in ((0.10, 0.0, 0.7), (0.005, 0.0, 0.5), (0.005, 1.0, 0.5)):
        pose[:3] = scene.cube_position() if closed == 0.0 else pose[:3]
        pose[2] = CUBE_HALF_M + height
        scene.set_gripper(closed)
        scene.set_arm(pose, seconds)
    pose[2] = rng.uniform(0.06, 0.2)
    scene.set_arm(pose, 0.4)
    pose[:2] = sample_place(rng)
    scene.set_arm(pose, 0.8)


def run_episode(scene: PandaScene, config: CollectConfig, seed: int, holding: bool = False) -> Episode:
    """The episode of a scene; ``holding`` begins it with the cube in the gripper."""
    rng = np.random.default_rng(seed)
    scene.reset(seed)
    axes = _turn_camera(scene, config, seed)
    if holding:
        _take_cube(scene, rng)
    elif rng.random() < 0.7:
        start = HOME_POSE.copy()
        start[:3] = [*(sample_place(rng) + rng.normal(0.0, 0.03, 2)), rng.uniform(0.06, 0.32)]
        start[:3] = np.clip(start[:3], SIM_LIMITS.box_min_m, SIM_LIMITS.box_max_m)
        scene.set_arm(start, seconds=1.0)
    loop = ClosedLoop(scene, ControllerConfig(limits=SIM_LIMITS), config.step_period_s)
    kind = rng.random()
    policy = (
        NoisyExpert(scene, rng, config.step_m, holding)
        if kind < config.expert_share + (0.25 if holding else 0.0)
        else Play(scene, rng, config.step_m, near=kind < config.expert_share + config.near_share)
    )
    latency = rng.uniform(0.0, config.latency_max_s)
    frames, stamps_s, states, actions = [], [], [], []
    for step in range(config.steps + 1):
        seen = loop.observe()
        frames.append(cv2.resize(seen.frame, (config.image_px, config.image_px), interpolation=cv2.INTER_AREA))
        stamps_s.append(seen.stamp_s)
        states.append(seen.state)
        if step == config.steps:
            break
        action = within(policy.action(seen.state), seen.state, SIM_LIMITS)
        if holding and step == 0:
            action[6] = CLOSE  # a fresh controller starts from the measured gripper and would not squeeze
        actions.append(action)
        # The step after this one, so that the motion flows as it does under a planner that looks two steps ahead.
        loop.step(np.stack([action, action * rng.uniform(0.0, 1.0)]), latency)
    return Episode(
        frames=np.stack(frames),
        stamps_s=np.array(stamps_s) - stamps_s[0],
        # The yaw stays as measured: it is pinned here, and wm_planner/axes.py leaves it to such a model as well.
        states=axes.state_to_model(states, turn_yaw=False).astype(np.float32),
        asked=axes.actions_to_model(actions).astype(np.float32),
        executed=axes.actions_to_model(difference(states[:-1], states[1:])).astype(np.float32),
        camera_pose=_optical_pose(scene.camera),
    )


def _turn_camera(scene: PandaScene, config: CollectConfig, seed: int) -> Axes:
    """Place the camera of an episode; the axes to record in. Its own random numbers: the motion stays the seed's."""
    if config.azimuth_range_deg == 0.0:
        return Axes()
    half = config.azimuth_range_deg
    azimuth_deg = float(np.random.default_rng([seed, 1]).uniform(-half, half))
    scene.turn_camera(azimuth_deg)
    x, y, _ = scene.camera.target_m
    return Axes(float(np.radians(azimuth_deg)) if config.camera_axes else 0.0, (x, y))


def _optical_pose(camera: Camera) -> Array:
    """The pose (6,) of its optical frame, x right, y down and z forward, in the base frame."""
    position_m, axes = camera.pose()
    return np.concatenate([position_m, matrix_to_euler(axes * [1.0, -1.0, -1.0])])


def _run_part(job: tuple[str, str, range, CollectConfig]) -> int:
    folder, kind, numbers, config = job
    global _scene
    if _scene is None:
        _scene = PandaScene()
    first_held = round((1.0 - config.held_share) * config.episodes)
    episodes = [run_episode(_scene, config, config.first_seed + i, holding=i >= first_held) for i in numbers]
    opened(folder, kind).write(numbers, episodes)
    return len(episodes)


_scene: PandaScene | None = None  # one per worker process: building it takes seconds


def collect(
    folder: str | Path,
    config: CollectConfig,
    workers: int,
    progress: Callable[[int], None] = lambda n: None,
    kind: str = DEFAULT,
) -> None:
    """Fill ``folder`` with episodes in the format ``kind``; those that are already there are kept, so it resumes.

    Args:
        progress: called with the number of episodes finished since the last call.
    Raises:
        WmError: the folder holds data of another configuration.
    """
    missing = opened(folder, kind).begin(config.spec())
    progress(config.episodes - sum(map(len, missing)))
    with closing(work(_run_part, [(str(folder), kind, part, config) for part in missing], workers)) as parts:
        for _, done in parts:
            progress(done)
