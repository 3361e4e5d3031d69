"""``wm pick_place``: pick and place with the world model, on live ROS 2 nodes.

In simulation the scripted expert first acts once in the same scene; only its pictures are kept, as goals. Then the
graph starts (simulated arm, encoder, planner, controller), and the planner makes the arm reach one picture after the
other. Ends by itself with 0 (placed), 1 (not placed) or 2 (could not run), and leaves a film, a plot of the energy, a
summary and the logs of all nodes in runs/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wm_bringup import paths
from wm_core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=seeds.option, help="simulated scene: where the cube is and where it goes (default: 0)"
    )
    parser.add_argument(
        "--goal", type=Path, metavar="FOLDER", help="folder of goal pictures instead of those of the expert"
    )
    parser.add_argument("--goals", type=int, help="how many pictures the expert takes (default: 8)")
    parser.add_argument(
        "--model",
        metavar="BUNDLE",
        help=f"model bundle: a name below models/, or a folder (default: {paths.DEFAULT_BUNDLE}, in simulation alone)",
    )
    parser.add_argument(
        "--mode",
        choices=("sim", "mock_crisp", "real"),
        help="simulated arm and camera, the same behind the topics of a Franka that runs CRISP, or a real arm "
        "(default: sim, where no --arm is given)",
    )
    parser.add_argument(
        "--arm", metavar="PRESET", help="what moves the arm: a name from config/arms, or a file; default: fr3_crisp"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FOLDER", help="folder of <node>.yaml files, layered over those in config/"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.KEY=VALUE", help="one parameter; may be repeated"
    )
    parser.add_argument(
        "--drop-guard",
        action="append",
        default=[],
        metavar="GUARD",
        help="a guard that the configuration of an arm may leave out or loosen, such as force_stop_n; may be repeated",
    )
    parser.add_argument(
        "--max-seconds", type=float, metavar="S", default=60.0, help="give up after this time of acting"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="FOLDER", default=Path("runs"), help="where to put the folder of the run"
    )
    parser.add_argument(
        "--headless", action=argparse.BooleanOptionalAction, default=True, help="show no window with the camera view"
    )


def run(arguments: argparse.Namespace) -> int:
    from wm_bringup.run_config import RunConfig

    config = RunConfig.of(arguments)
    from wm_bringup.pick_place import pick_place
    from wm_bringup.terminal import Interrupts

    with Interrupts() as interrupted:
        return pick_place(config, interrupted)
