"""``wm eval``: many simulated episodes in one process, through the same cores as the live graph.

Ends with 0 when all episodes were scored, whatever the scores (with --hostile, with 1 if a guardrail was violated), and
with 2 if it could not run. The scores are written after each episode, so that an early end loses nothing: after Ctrl-C
(130) or SIGTERM (143) they are those of the episodes that were finished.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from wm_bringup import paths, presets
from wm_core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--episodes", type=int, default=100, help="number of scenes")
    parser.add_argument("--seed", type=seeds.option, default=0, help="seed of the first scene; the others follow")
    parser.add_argument("--goals", type=int, default=8, help="goal pictures of an expert in the same scene, 1..8")
    parser.add_argument("--model", default=paths.DEFAULT_BUNDLE, help="a bundle in models/ by name, or a path")
    parser.add_argument("--planner", type=Path, help="planner settings; default: those that the bundle names")
    parser.add_argument("--controller", type=Path, help="arm preset with the envelope; default: config/arms/sim.yaml")
    parser.add_argument("--max-steps", type=int, default=80, help="plan steps after which an episode has failed")
    parser.add_argument("--backend", help="what runs the model, as for 'wm models bench'; default: as the planner says")
    parser.add_argument("--threads", type=int, default=1, help="threads of the inference back end")
    parser.add_argument(
        "--hostile", type=int, metavar="PLANS", help="instead: plan towards noise, black frames and forbidden places"
    )
    parser.add_argument(
        "--camera-azimuth", type=float, default=0.0, metavar="DEG", help="turn the camera about the workspace, degrees"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="the camera's preset as 'wm calibrate' leaves it: use its axes"
    )
    parser.add_argument(
        "--turn-hand", action="store_true", help="hold the hand turned as the axes are, so that it looks as in training"
    )
    parser.add_argument("--json", type=Path, help="also write the scores to this file")


def run(args: argparse.Namespace) -> int:
    from wm_bringup.terminal import Interrupts, LiveLine, say
    from wm_controller.node_config import ControllerNodeConfig
    from wm_core import axes, config, results
    from wm_core.errors import WmError
    from wm_lab.evaluate import Evaluator
    from wm_models.bundle import Bundle
    from wm_models.imagination import load as load_imagination
    from wm_models.world_model import WorldModel
    from wm_perception.node_config import CameraConfig
    from wm_planner.node_config import PlannerNodeConfig
    from wm_planner.planner import Planner
    from wm_sim.scene import Camera

    if args.episodes < 1:
        raise WmError(f"--episodes {args.episodes} asks for no scene; give a number of 1 or more")
    if args.max_steps < 1:
        raise WmError(f"--max-steps {args.max_steps} lets nothing move; give a number of 1 or more")
    if args.turn_hand and args.calibration is None:
        raise WmError("nobody reads --turn-hand without --calibration, which has the axes to turn it by; give both")
    if not 0 <= args.seed <= args.seed + args.episodes <= seeds.FIRST_TRAINING:
        raise WmError(f"scenes must have seeds within 0..{seeds.FIRST_TRAINING}; the ones above were trained on")
    if args.hostile is not None and args.hostile < 1:
        raise WmError(f"--hostile {args.hostile} asks for no plan; give a number of 1 or more")
    if args.json is not None:
        results.check_writable(args.json)
    controller = config.load(ControllerNodeConfig, args.controller or paths.preset("arms", "sim"))
    bundle = Bundle.load(paths.bundle_folder(args.model))
    preset = args.planner or presets.planner(bundle.path)
    settings = PlannerNodeConfig() if preset is None else config.load(PlannerNodeConfig, preset)
    backend = settings.backend if args.backend is None else args.backend
    model = WorldModel(bundle, backend, args.threads, parts=("encoder",))
    if args.calibration is not None:
        config.load(CameraConfig, args.calibration)  # a key that nobody knows may be a misspelt one of the axes
    calibrated = axes.Axes() if args.calibration is None else axes.load(args.calibration)
    calibrated = replace(calibrated, turned_hand=calibrated.turned_hand or args.turn_hand)
    hand_yaw_rad = calibrated.yaw_rad if calibrated.turned_hand else 0.0
    imagination = load_imagination(bundle, backend, args.threads, settings.memory_mb, calibrated)
    planner = Planner(imagination, controller.limits, settings)
    camera = Camera(azimuth_deg=args.camera_azimuth)
    evaluator = Evaluator(
        model, planner, controller, args.goals, args.max_steps, camera=camera, hand_yaw_rad=hand_yaw_rad
    )
    line, episodes, began_s = LiveLine(), [], time.monotonic()
    with Interrupts() as interrupted:

        def go_on(*_: object) -> None:
            if interrupted():
                raise KeyboardInterrupt

        try:
            if args.hostile is not None:
                counts = evaluator.hostile(args.hostile, args.seed, go_on)
                say(", ".join(f"{count} {name}" for name, count in counts.items()))
                if args.json is not None:
                    results.write_json(args.json, counts)
                return 0 if counts["violations"] == 0 else 1
            for seed in range(args.seed, args.seed + args.episodes):
                episodes.append(evaluator.run(seed, go_on))
                if args.json is not None:
                    results.write_json(args.json, evaluator.report(episodes).as_dict())
                each_s = (time.monotonic() - began_s) / len(episodes)
                placed = sum(e.placed for e in episodes)
                line.show(f"{len(episodes)}/{args.episodes}  {placed} placed  {each_s:.1f} s each", len(episodes))
        except KeyboardInterrupt:
            line.end(f"interrupted after {len(episodes)} of {args.episodes} episodes; the scores are those of them")
        finally:
            evaluator.close()
            model.close()
            imagination.close()
    if episodes:
        line.end(*evaluator.report(episodes).text().splitlines())
    return 0 if len(episodes) == args.episodes else interrupted.status
