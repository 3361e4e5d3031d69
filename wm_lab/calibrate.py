"""The moves of a calibration on the simulated arm, under the real controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wm_controller.controller import ControllerConfig
from wm_controller.monitor import EnvelopeMonitor
from wm_core.axes import Axes
from wm_core.errors import WmError
from wm_models.imagination import Imagination
from wm_models.world_model import WorldModel
from wm_planner.calibration import CalibrationConfig, CalibrationError, Fit, Move, RandomMoves, calibrate
from wm_sim.scene import HOME_POSE, PandaScene

from .loop import ClosedLoop

#: The hand is turned until it stands this near to the axes, in this many rounds, and never further than this: from home
#: the last joint has 120 degrees to its nearer limit.
HAND_TOLERANCE_RAD, ROUNDS, MOST_HAND_YAW_RAD = np.radians(2.0), 3, np.radians(80.0)

#: Where the moves begin: low enough for the whole gripper to be seen, high enough to pass over any cube.
START_M = (0.47, 0.0, 0.12)


def record_moves(
    scene: PandaScene,
    model: WorldModel,
    controller: ControllerConfig,
    config: CalibrationConfig,
    hand_yaw_rad: float = 0.0,
    progress: Callable[[int], None] = lambda n: None,
) -> list[Move]:
    """Move the arm about ``START_M`` and return what was seen and measured.

    Args:
        scene: the simulated cell, with its camera where it is to be calibrated; its scene stays as it is.
        model: encodes the frames.
        controller: the envelope; the moves are drawn within its limits, and judged against them.
        hand_yaw_rad: how far the hand is held turned about the vertical.
        progress: called with 1 after every move.
    Raises:
        WmError: a command left the envelope.
    """
    scene.set_arm(np.array([*START_M, *(HOME_POSE[3:] + [0.0, 0.0, hand_yaw_rad])]))
    monitor = EnvelopeMonitor(controller.limits)
    period_s = model.spec.step_period_s
    loop = ClosedLoop(scene, controller, period_s, monitor)
    draw = RandomMoves(config, controller.limits, period_s, scene.state().pose[:3])
    moves, rest = [], np.zeros((2, 7))
    for _ in range(config.moves):
        before = loop.observe()
        frame = before.frame.copy()
        loop.step(draw.next(before.state[:3]))
        loop.step(rest)
        after = loop.observe()
        latents = model.encode(np.stack([frame, after.frame]))
        moves.append(Move(latents[0], before.state, latents[1], after.state))
        progress(1)
    if monitor.violations:
        raise WmError(f"{monitor.violations} commands left the envelope; the calibration is not to be used")
    return moves


def calibrate_camera(
    scene: PandaScene,
    encoder: WorldModel,
    model: Imagination,
    controller: ControllerConfig,
    config: CalibrationConfig,
    centre_m: tuple[float, float],
    progress: Callable[[int], None] = lambda n: None,
) -> tuple[Axes, Fit]:
    """The axes of the model for the scene's camera, from as many rounds of moves as the hand has to be turned anew.

    A hand that is not turned with the camera looks to it turned against it, and a model that never saw such a hand
    reads its motion a few degrees wrong: so every round but the first holds it as the round before found the axes.

    Raises CalibrationError where a round tells nothing, WmError as :func:`record_moves` does.
    """
    found = Axes(centre_m=centre_m, turned_hand=True)
    for number in range(ROUNDS):
        hand_yaw_rad = found.yaw_rad
        if not abs(hand_yaw_rad) <= MOST_HAND_YAW_RAD:
            raise CalibrationError(
                f"the axes seem turned by {np.degrees(hand_yaw_rad):.0f} degrees, and the hand is turned by "
                f"{np.degrees(MOST_HAND_YAW_RAD):.0f} at most; place the camera more as it stood in training"
            )
        moves = record_moves(
            scene, encoder, controller, replace(config, seed=config.seed + number), hand_yaw_rad, progress
        )
        found, fit = calibrate(model, moves, found, config)
        if abs(found.yaw_rad - hand_yaw_rad) <= HAND_TOLERANCE_RAD:
            break
    return replace(found, turned_hand=False), fit
