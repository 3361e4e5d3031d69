"""The simulated cell: Franka Panda + Robotiq 2F-85 in MuJoCo, a cube on a table, one exterior camera.

Robot and gripper meshes come from the ``gym-hil`` package's assets (Apache-2.0, from MuJoCo Menagerie); the package
itself is never imported. Below the pose interface stands an operational-space impedance controller, the class of
controller that a real Franka runs below a slow planner (CRISP, franka_ros2), so the arm lags its target as a real one.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_core import install
from wm_core import pose as poses
from wm_core.errors import WmError, quoted

Array = NDArray[np.float64]

TIMESTEP_S = 0.004
#: The impedance law runs at 125 Hz, every second physics step: stable for the 24 rad/s loop below, at half the cost.
CONTROL_EVERY = 2
# Stiffness over task-space inertia: 1800 N/m at about 3 kg, near the stiff end of what Franka's impedance mode allows.
STIFFNESS_PER_S2 = 600.0
NULLSPACE_STIFFNESS = 5.0
HOME_JOINTS_RAD = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])
#: TCP pose at reset: 0.25 m above the middle of the workspace, gripper straight down.
HOME_POSE: Array = np.array([0.45, 0.0, 0.25, np.pi, 0.0, 0.0])
#: A target further away than this is none for an arm of 0.855 m, and what is made of it need not be finite.
FAR_M = 10.0
CUBE_HALF_M = 0.02
#: Where cubes start and where they go (x low, x high, y low, y high), metres in the base frame.
CUBE_AREA_M = (0.36, 0.60, -0.20, 0.20)
CUBE_YAW_RAD = 0.35
MIN_CARRY_M = 0.12
PLACED_TOLERANCE_M = 0.04
_GRIPPER_DRIVER_RANGE_RAD = 0.8
_FINGERS_FULL_SCALE = 255.0
#: Variables that choose another GL than the one which works where nothing is chosen.
_GL_VARIABLES = ("PYOPENGL_PLATFORM", "MUJOCO_EGL_DEVICE_ID", "__EGL_VENDOR_LIBRARY_DIRS")
_VISUAL_GROUP, _COLLISION_GROUP = 2, 3  # geom groups of the assets
_GRIPPER_MESHES = ("base_mount", "base", "driver", "coupler", "follower", "spring_link")


@dataclass(frozen=True)
class Camera:
    """An exterior camera as in DROID: beside the table, looking at the workspace. Metres, base frame.

    ``azimuth_deg`` turns it about the vertical axis through its target, anticlockwise seen from above.
    """

    position_m: tuple[float, float, float] = (1.05, 0.42, 0.55)
    target_m: tuple[float, float, float] = (0.47, 0.01, 0.09)
    fovy_deg: float = 43.0
    height: int = 128
    width: int = 128
    azimuth_deg: float = 0.0

    def pose(self) -> tuple[Array, Array]:
        """Where it stands (3,), and its axes (3, 3) as MuJoCo wants them: columns right, up and backward."""
        azimuth, target = np.radians(self.azimuth_deg), np.array(self.target_m)
        position = np.array(self.position_m)
        if azimuth != 0.0:  # untouched otherwise, to the last bit: the shipped model must see the very same pictures
            position = target + poses.euler_to_matrix([0.0, 0.0, azimuth]) @ (position - target)
        forward = target - position
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        up /= np.linalg.norm(up)
        return position, np.stack([right, up, -forward / np.linalg.norm(forward)], axis=1)


@dataclass
class Measured:
    """What a real arm reports. ``pose`` (6,) TCP xyz + extrinsic Euler in the base frame; ``gripper`` 0 open .. 1."""

    pose: Array
    gripper: float
    joints: Array

    @property
    def state(self) -> Array:
        """The 7-D state of :mod:`wm_core.pose`."""
        return np.append(self.pose, self.gripper)


class PandaScene:
    """One simulated cell. Not thread safe: the GL context belongs to the thread that first renders.

    Args:
        seed: of the first scene; see :meth:`reset`.
        camera: the exterior camera that :meth:`render` draws.
    Raises:
        WmError: MuJoCo, the assets or a GL library is missing; the sentence says what to install.
    """

    def __init__(self, seed: int = 0, camera: Camera | None = None) -> None:
        self.camera = Camera() if camera is None else camera
        self._mujoco = _import_mujoco()
        mj = self._mujoco
        self.model = _build_model(mj, self.camera)
        self.data = mj.MjData(self.model)
        self._arm_qpos = np.array([self.model.joint(f"joint{i}").qposadr[0] for i in range(1, 8)])
        self._arm_dof = np.array([self.model.joint(f"joint{i}").dofadr[0] for i in range(1, 8)])
        self._arm_ctrl = np.array([self.model.actuator(f"actuator{i}").id for i in range(1, 8)])
        self._fingers = self.model.actuator("fingers_actuator").id
        self._driver_qpos = [int(self.model.joint(f"{side}_driver_joint").qposadr[0]) for side in ("left", "right")]
        self._tcp = self.model.site("pinch").id
        self._cube_qpos = int(self.model.joint("cube").qposadr[0])
        self._cube_dof = int(self.model.joint("cube").dofadr[0])
        self._torque_limit = self.model.actuator_ctrlrange[self._arm_ctrl, 1]
        self._jacobian = np.zeros((6, self.model.nv))
        self._mass = np.zeros((self.model.nv, self.model.nv))
        self._renderers: dict[bool, Any] = {}
        self._options = {visual: _draw_options(mj, visual) for visual in (False, True)}
        self.goal_xy_m = np.zeros(2)
        self._home_state: tuple[Array, Array] | None = None
        self._physics_steps = 0
        self.reset(seed)

    # --- episode -----------------------------------------------------------------------------------------------------
    def reset(self, seed: int) -> None:
        """Put the arm at home and the cube and its goal where ``seed`` says. The same seed gives the same scene."""
        rng = np.random.default_rng(seed)
        self._settle_home()
        self.set_cube(sample_place(rng), yaw_rad=rng.uniform(-CUBE_YAW_RAD, CUBE_YAW_RAD))
        cube = self.cube_position()[:2]
        while True:
            self.goal_xy_m = sample_place(rng)
            if np.linalg.norm(self.goal_xy_m - cube) >= MIN_CARRY_M:
                break
        self._mujoco.mj_forward(self.model, self.data)

    def _settle_home(self) -> None:
        mj = self._mujoco
        mj.mj_resetData(self.model, self.data)
        self.data.qpos[self._arm_qpos] = HOME_JOINTS_RAD
        mj.mj_forward(self.model, self.data)
        self.set_target(HOME_POSE)
        self.set_gripper(0.0)
        if self._home_state is None:
            self.set_cube(np.array([0.45, 0.3]))
            self.advance(3.0)
            self._home_state = self.data.qpos.copy(), self.data.qvel.copy() * 0.0
        self.data.qpos[:], self.data.qvel[:] = self._home_state
        self.data.time = 0.0
        self._physics_steps = 0

    def set_cube(self, xy_m: Array, z_m: float = CUBE_HALF_M, yaw_rad: float = 0.0) -> None:
        """Put the cube at rest at ``xy_m``, metres in the base frame."""
        q = self._cube_qpos
        self.data.qpos[q : q + 3] = [xy_m[0], xy_m[1], z_m]
        self.data.qpos[q + 3 : q + 7] = [np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)]
        self.data.qvel[self._cube_dof : self._cube_dof + 6] = 0.0
        self._mujoco.mj_forward(self.model, self.data)

    def set_arm(self, pose: Array, seconds: float = 1.5) -> None:
        """Bring the arm to ``pose`` (6,) by simulating ``seconds``, for the start of a training episode."""
        self.set_target(pose)
        self.advance(seconds)

    # --- the arm's interface -----------------------------------------------------------------------------------------
    def set_target(self, pose: Array) -> None:
        """Target TCP pose (6,): metres, extrinsic xyz Euler, base frame. Held for ever, as by a real arm."""
        self._target_xyz = np.asarray(pose[:3], dtype=np.float64).copy()
        self._target_turn = poses.euler_to_matrix(np.asarray(pose[3:6]))

    def set_gripper(self, closed: float) -> None:
        """Gripper command, 0 open .. 1 closed."""
        self.data.ctrl[self._fingers] = np.clip(closed, 0.0, 1.0) * _FINGERS_FULL_SCALE

    def advance(self, duration_s: float) -> None:
        """Simulate ``duration_s`` (rounded to 4 ms)."""
        for _ in range(round(duration_s / TIMESTEP_S)):
            if self._physics_steps % CONTROL_EVERY == 0:
                self._apply_impedance()
            self._mujoco.mj_step(self.model, self.data)
            self._physics_steps += 1

    def _apply_impedance(self) -> None:
        """Operational-space PD (Khatib 1987): critically damped in task space, home posture in the null space."""
        m, d = self.model, self.data
        self._mujoco.mj_jacSite(m, d, self._jacobian[:3], self._jacobian[3:], self._tcp)
        jacobian = self._jacobian[:, self._arm_dof]
        self._mujoco.mj_fullM(m, self._mass, d.qM)
        mass = self._mass[np.ix_(self._arm_dof, self._arm_dof)]
        velocity = d.qvel[self._arm_dof]
        turn = self._target_turn @ d.site_xmat[self._tcp].reshape(3, 3).T
        # Half the skew part is the sine-weighted rotation error: exact enough below 90 degrees, and cheap.
        turn_error = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        error = np.concatenate([self._target_xyz - d.site_xpos[self._tcp], turn_error])
        damping = 2.0 * np.sqrt(STIFFNESS_PER_S2)
        acceleration = STIFFNESS_PER_S2 * error - damping * (jacobian @ velocity)
        inverse_mass_jt = np.linalg.solve(mass, jacobian.T)
        # The damping keeps the task inertia finite at singular postures.
        task_inertia = np.linalg.inv(jacobian @ inverse_mass_jt + 1e-4 * np.eye(6))
        posture = NULLSPACE_STIFFNESS * (HOME_JOINTS_RAD - d.qpos[self._arm_qpos])
        posture -= 2.0 * np.sqrt(NULLSPACE_STIFFNESS) * velocity
        null = posture - jacobian.T @ (task_inertia @ (inverse_mass_jt.T @ posture))
        torque = jacobian.T @ (task_inertia @ acceleration) + null + d.qfrc_bias[self._arm_dof]
        d.ctrl[self._arm_ctrl] = np.clip(torque, -self._torque_limit, self._torque_limit)

    @property
    def time_s(self) -> float:
        return float(self.data.time)

    def state(self) -> Measured:
        """The measured state, as the real arm's broadcasters report it."""
        d = self.data
        turn = d.site_xmat[self._tcp].reshape(3, 3)
        driver = np.mean([d.qpos[q] for q in self._driver_qpos])
        return Measured(
            pose=np.concatenate([d.site_xpos[self._tcp], poses.matrix_to_euler(turn)]),
            gripper=float(np.clip(driver / _GRIPPER_DRIVER_RANGE_RAD, 0.0, 1.0)),
            joints=d.qpos[self._arm_qpos].copy(),
        )

    def wrench(self) -> Array:
        """Force and torque (6,) on the TCP in the base frame, from contact torques, as Franka's estimator does."""
        jacobian = self._jacobian[:, self._arm_dof]
        torque = self.data.qfrc_constraint[self._arm_dof]
        return np.linalg.lstsq(jacobian.T, torque, rcond=1e-3)[0]

    # --- ground truth, for the expert and the result only ------------------------------------------------------------
    def cube_position(self) -> Array:
        """Cube centre (3,), metres in the base frame. Ground truth: never given to the planner."""
        return self.data.qpos[self._cube_qpos : self._cube_qpos + 3].copy()

    def goal_distance_m(self) -> float:
        """Distance on the table between cube and goal."""
        return float(np.linalg.norm(self.cube_position()[:2] - self.goal_xy_m))

    def placed(self) -> bool:
        """Whether the cube lies on the table within 4 cm of its goal, released by the gripper."""
        cube, state = self.cube_position(), self.state()
        on_table = abs(cube[2] - CUBE_HALF_M) < 0.01
        released = state.gripper < 0.4 or np.linalg.norm(state.pose[:3] - cube) > 0.06
        return bool(on_table and released and self.goal_distance_m() < PLACED_TOLERANCE_M)

    # --- pictures ----------------------------------------------------------------------------------------------------
    def render(self, visual: bool = False, height: int | None = None, width: int | None = None) -> NDArray[np.uint8]:
        """A frame (h, w, 3) uint8 RGB from the exterior camera.

        ``visual=False`` is what the model sees: collision meshes, no shadows, fast. ``visual=True`` draws the visual
        meshes with shadows, for people. A size other than the camera's is only for pictures for people.
        """
        key = visual
        if key not in self._renderers:
            self._renderers[key] = self._make_renderer(
                self.camera.height if height is None else height, self.camera.width if width is None else width, visual
            )
        renderer = self._renderers[key]
        renderer.update_scene(self.data, camera="exterior", scene_option=self._options[visual])
        flags = renderer.scene.flags
        for flag in (self._mujoco.mjtRndFlag.mjRND_SHADOW, self._mujoco.mjtRndFlag.mjRND_REFLECTION):
            flags[flag] = int(visual)
        return renderer.render()

    def turn_camera(self, azimuth_deg: float) -> None:
        """Turn the exterior camera to this azimuth, see :class:`Camera`; pictures that people see turn with it."""
        self.camera = replace(self.camera, azimuth_deg=azimuth_deg)
        exterior = self.model.camera("exterior")
        exterior.pos[:], exterior.quat[:] = _camera_pose(self._mujoco, self.camera)
        self._mujoco.mj_forward(self.model, self.data)

    def _make_renderer(self, height: int, width: int, visual: bool) -> Any:
        # Multisampling costs 4x in software; only pictures for people get it.
        self.model.vis.quality.offsamples = 4 if visual else 0
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # a half-made renderer complains when collected
        renderer, trouble = None, ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GLFW warns of what is said below
            try:
                renderer = self._mujoco.Renderer(self.model, height=height, width=width)
            except Exception as error:
                trouble = quoted(error)
        gc.collect()
        sys.unraisablehook = hook
        if renderer is None:
            raise WmError(f"MuJoCo cannot open an offscreen GL context ({trouble}); {_gl_advice()}")
        return renderer

    def show(self, qpos: Array) -> None:
        """Put every joint where a trace of a run says, to draw it again."""
        self.data.qpos[:] = qpos
        self._mujoco.mj_forward(self.model, self.data)

    def close(self) -> None:
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()


def _gl_advice() -> str:
    backend = os.environ.get("MUJOCO_GL", "")
    packages = {"egl": "libegl1 libgl1-mesa-dri", "osmesa": "libosmesa6"}
    if backend not in packages:
        return f"MUJOCO_GL is '{backend}': set it to egl (headless) or osmesa (software)"
    # MuJoCo itself sets PYOPENGL_PLATFORM to the back end.
    chosen = [name for name in _GL_VARIABLES if os.environ.get(name, backend) != backend]
    unset = f"unset {' and '.join(chosen)}, or " if chosen else ""
    return f"{unset}install the GL libraries: apt-get install {packages[backend]} (MUJOCO_GL is '{backend}')"


def sample_place(rng: np.random.Generator) -> Array:
    """A place (2,) for a cube in the work area, metres in the base frame."""
    x0, x1, y0, y1 = CUBE_AREA_M
    return np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])


def _import_mujoco() -> Any:
    """MuJoCo with its GL back end; MUJOCO_GL defaults to egl (headless)."""
    os.environ["MUJOCO_GL"] = os.environ.get("MUJOCO_GL", "").strip() or "egl"
    try:
        import mujoco
    except ModuleNotFoundError as error:
        if error.name != "mujoco":
            raise WmError(f"MuJoCo needs the module {error.name}: {install.package('mujoco')} brings it") from None
        raise WmError(f"the simulator needs MuJoCo: {install.package('mujoco')}") from None
    except Exception as error:  # whatever the GL back end raises while it loads its libraries
        raise WmError(f"MuJoCo's offscreen GL does not load ({quoted(error)}); {_gl_advice()}") from None
    if not hasattr(mujoco, "MjSpec"):
        raise WmError(f"the simulator needs a newer MuJoCo than {mujoco.__version__}: {install.package('mujoco')}")
    return mujoco


def _assets() -> Path:
    spec = importlib.util.find_spec("gym_hil")  # finds without importing: gymnasium and pygame are not needed
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent / "assets"
    if folder is None or not (folder / "panda.xml").is_file():
        where = "" if folder is None else f", which are not in {folder}"
        how = install.package("--no-deps gym-hil==0.1.14")
        raise WmError(f"the simulator needs the robot's meshes{where}: {how}")
    return folder


def _build_model(mj: Any, camera: Camera) -> Any:
    """Panda and gripper from the assets, the cell around them from here."""
    spec = mj.MjSpec.from_file(str(_assets() / "panda.xml"))
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mj.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.noslip_iterations = 3  # keeps a squeezed cube from creeping out of the pads
    spec.option.cone = mj.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1280, 960
    spec.visual.headlight.ambient = [0.45, 0.45, 0.45]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    for mesh in spec.meshes:
        mesh.maxhullvert = 32  # the hulls are what collides and what the model sees: few faces make both fast
    for geom in spec.geoms:
        if geom.group == _COLLISION_GROUP and geom.meshname in _GRIPPER_MESHES:
            geom.rgba = [0.12, 0.12, 0.13, 1.0]  # black, as the Robotiq is
    world = spec.worldbody
    world.add_light(pos=[0.6, -0.6, 1.8], dir=[-0.1, 0.4, -1.0], diffuse=[0.5, 0.5, 0.5], specular=[0.1] * 3)
    world.add_geom(
        name="table",
        type=mj.mjtGeom.mjGEOM_BOX,
        size=[0.45, 0.6, 0.02],
        pos=[0.55, 0.0, -0.02],
        rgba=[0.80, 0.74, 0.66, 1.0],
        friction=[1.0, 0.005, 0.0001],
    )
    world.add_geom(
        name="floor",
        type=mj.mjtGeom.mjGEOM_BOX,
        size=[6.0, 6.0, 0.01],
        pos=[0, 0, -0.4],
        rgba=[0.45, 0.48, 0.52, 1],
    )
    cube = world.add_body(name="cube", pos=[0.45, 0.3, CUBE_HALF_M])
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube",
        type=mj.mjtGeom.mjGEOM_BOX,
        size=[CUBE_HALF_M] * 3,
        mass=0.08,
        rgba=[0.86, 0.12, 0.10, 1.0],
        friction=[1.0, 0.02, 0.0005],
    )
    position, quat = _camera_pose(mj, camera)
    world.add_camera(name="exterior", pos=position, quat=quat, fovy=camera.fovy_deg)
    return spec.compile()


def _camera_pose(mj: Any, camera: Camera) -> tuple[Array, Array]:
    """Position (3,) and quaternion wxyz (4,)."""
    position, axes = camera.pose()
    quat = np.zeros(4)
    mj.mju_mat2Quat(quat, axes.ravel())
    return position, quat


def _draw_options(mj: Any, visual: bool) -> Any:
    option = mj.MjvOption()
    option.geomgroup[_VISUAL_GROUP] = int(visual)
    option.geomgroup[_COLLISION_GROUP] = int(not visual)
    option.flags[mj.mjtVisFlag.mjVIS_CONVEXHULL] = int(not visual)
    return option
