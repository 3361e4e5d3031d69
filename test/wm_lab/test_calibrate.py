"""The moves of a calibration on the simulated arm, and what they tell of the bundle that ships here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wm_controller.node_config import ControllerNodeConfig
from wm_core import config
from wm_core.axes import Axes
from wm_lab import calibrate as calibration
from wm_lab.calibrate import START_M, record_moves
from wm_models import imagination
from wm_models.bundle import Bundle
from wm_models.world_model import WorldModel
from wm_planner.calibration import CalibrationConfig, CalibrationError, Fit, calibrate
from wm_sim.scene import Camera, PandaScene

ROOT = Path(__file__).parents[2]
#: Few moves for a fast test: a wide net, which still tells a turned camera from another.
FEW = CalibrationConfig(moves=24, most_error_rad=np.radians(6.0))
HAND_RAD = np.radians(30.0)


@pytest.fixture(scope="module")
def recorded():
    bundle = Bundle.load(ROOT / "models" / "panda_pick_place")
    encoder, model = WorldModel(bundle, parts=("encoder",)), imagination.load(bundle)
    controller = config.load(ControllerNodeConfig, ROOT / "config" / "arms" / "sim.yaml")
    scene = PandaScene(5, Camera())
    done = []
    out = {}
    for azimuth_deg, hand_yaw_rad in ((0.0, 0.0), (30.0, HAND_RAD)):
        scene.reset(5)
        scene.turn_camera(azimuth_deg)
        out[azimuth_deg] = record_moves(scene, encoder, controller, FEW, hand_yaw_rad, done.append)
    cube = scene.cube_position()
    yield model, out, cube, done
    scene.close()
    encoder.close()
    model.close()


def test_the_moves_are_small_above_the_table_and_leave_the_cube_alone(recorded):
    _, moves, cube, done = recorded
    scene_cube = PandaScene(5)
    np.testing.assert_allclose(cube, scene_cube.cube_position(), atol=1e-3)
    scene_cube.close()
    states = np.array([s for m in moves[0.0] for s in (m.state, m.next_state)])
    assert np.all(states[:, 2] > START_M[2] - 0.01)
    assert np.all(np.abs(states[:, :2] - START_M[:2]) < FEW.reach_m + 0.01)
    assert np.all(states[:, 6] < 0.05)
    assert sum(done) == 2 * FEW.moves


def test_the_hand_is_held_turned(recorded):
    _, moves, _, _ = recorded
    for azimuth_deg, yaw_rad in ((0.0, 0.0), (30.0, HAND_RAD)):
        np.testing.assert_allclose([m.state[5] for m in moves[azimuth_deg]], yaw_rad, atol=0.02)


@pytest.mark.parametrize("azimuth_deg", [0.0, 30.0])
def test_the_axes_turn_with_the_camera(recorded, azimuth_deg):
    model, moves, _, _ = recorded
    start = Axes(centre_m=(0.47, 0.01), turned_hand=True)
    found, fit = calibrate(model, moves[azimuth_deg], start, FEW)
    assert np.degrees(found.yaw_rad) == pytest.approx(azimuth_deg, abs=8.0)
    assert 1.0 < fit.scale < 2.0 and fit.condition < 2.0


class Rounds:
    """Stands in for the arm and the fit: what each round would find, by the hand's yaw, in degrees."""

    def __init__(self, monkeypatch, finds):
        self.hands: list[float] = []
        self.seeds: list[int] = []
        fit = Fit(0.0, 1.0, 0.1, 1.0, 0.01, 24)

        def record(scene, model, controller, config, hand_yaw_rad, progress):
            self.hands.append(round(np.degrees(hand_yaw_rad), 6))
            self.seeds.append(config.seed)
            return []

        def found(model, moves, axes, config):
            assert axes.turned_hand
            return replace(axes, yaw_rad=np.radians(finds[len(self.hands) - 1])), fit

        monkeypatch.setattr(calibration, "record_moves", record)
        monkeypatch.setattr(calibration, "calibrate", found)

    def run(self):
        return calibration.calibrate_camera(None, None, None, None, FEW, (0.5, 0.1))


def test_the_hand_is_turned_until_it_stands_as_the_axes(monkeypatch):
    rounds = Rounds(monkeypatch, [36.0, 31.0, 30.0])
    found, _ = rounds.run()
    assert rounds.hands == [0.0, 36.0, 31.0]
    assert len(set(rounds.seeds)) == 3
    assert found == Axes(np.radians(30.0), (0.5, 0.1))


def test_an_unturned_camera_needs_one_round(monkeypatch):
    rounds = Rounds(monkeypatch, [0.7])
    rounds.run()
    assert rounds.hands == [0.0]


def test_the_hand_is_not_turned_into_its_limits(monkeypatch):
    rounds = Rounds(monkeypatch, [120.0])
    with pytest.raises(CalibrationError, match="120 degrees"):
        rounds.run()
    assert rounds.hands == [0.0]
