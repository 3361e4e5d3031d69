"""``wm calibrate``: which way the model's axes lie for a camera, from small moves of the simulated arm.

The arm makes small random moves inside the controller's envelope. The move that the model believes to see between two
frames is compared with the measured one; the turn between the two is written into the camera's preset, as 'axes'.
'wm eval --calibration FILE' plans with it.

This command is for the simulator only. A real arm does the same in the live graph, one round with the hand as it is:
'ros2 launch wm_bringup calibrate.launch.py mode:=real arm:=... camera:=... model:=... out:=...'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup import paths
from wm_core import seeds
from wm_core.share import share


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the camera's preset; its other lines stay")
    parser.add_argument("--force", action="store_true", help="replace the axes that the preset holds already")
    parser.add_argument("--model", default=paths.DEFAULT_BUNDLE, help="a bundle in models/ by name, or a path")
    parser.add_argument("--camera-azimuth", type=float, default=0.0, metavar="DEG", help="turn the simulated camera")
    parser.add_argument(
        "--centre",
        type=float,
        nargs=2,
        default=(0.47, 0.0),
        metavar=("X", "Y"),
        help="the point that the camera looks at, metres in the base frame",
    )
    parser.add_argument("--moves", type=int, default=240, help="moves of a round; half a second each")
    parser.add_argument("--seed", type=seeds.option, default=0, help="of the scene and the moves")
    parser.add_argument("--controller", type=Path, help="arm preset with the envelope; default: config/arms/sim.yaml")
    parser.add_argument("--backend", default="onnxruntime", help="what runs the model, as for 'wm models bench'")
    parser.add_argument("--threads", type=int, default=1, help="threads of the inference back end")


def run(args: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from wm_controller.node_config import ControllerNodeConfig
    from wm_core import axes, config, parameters
    from wm_core.errors import ConfigError
    from wm_lab.calibrate import ROUNDS, calibrate_camera
    from wm_models import imagination
    from wm_models.bundle import Bundle
    from wm_models.world_model import WorldModel
    from wm_perception.node_config import CameraConfig
    from wm_planner.calibration import CalibrationConfig
    from wm_sim.scene import Camera, PandaScene

    axes.check(args.out)  # what cannot take them is refused now, not when all moves are made
    if args.out.exists():
        config.load(CameraConfig, args.out)
        if axes.SECTION in config.read_yaml(args.out) and not args.force:
            raise ConfigError(f"{args.out} holds '{axes.SECTION}' already; choose another --out, or give --force")
    settings = CalibrationConfig(moves=args.moves, seed=args.seed)
    arm = args.controller or share() / "config" / "arms" / "sim.yaml"
    controller = parameters.build(ControllerNodeConfig, {parameters.CONFIG_PARAMETER: str(arm)}, "controller")
    bundle = Bundle.load(paths.bundle_folder(args.model))
    encoder = WorldModel(bundle, args.backend, args.threads, parts=("encoder",))
    model = imagination.load(bundle, args.backend, args.threads)
    scene = PandaScene(args.seed, Camera(azimuth_deg=args.camera_azimuth))
    try:
        with tqdm(total=ROUNDS * settings.moves, unit="move", desc=f"up to {ROUNDS} rounds") as bar:
            found, fit = calibrate_camera(scene, encoder, model, controller, settings, tuple(args.centre), bar.update)
    finally:
        scene.close()
        encoder.close()
        model.close()
    angle, error = np.degrees(found.yaw_rad), np.degrees(fit.error_rad)
    axes.store(args.out, found, f"bundle {bundle.spec.name}, {fit.moves} moves, +-{error:.1f} degrees")
    print(f"axes       turned by {angle:.1f} degrees, standard error {error:.1f}")
    print(f"camera     turned by {args.camera_azimuth:.1f} degrees, difference {angle - args.camera_azimuth:+.1f}")
    print(f"moves      {fit.moves}, condition {fit.condition:.2f}")
    print(f"residual   {100 * fit.residual:.0f} % of what the model sees, which is {fit.scale:.2f} times the motion")
    print(f"written to {args.out}")
    return 0
