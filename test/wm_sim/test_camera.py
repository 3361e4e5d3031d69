"""The exterior camera turns about its target, and stands where it always stood unless it is told otherwise."""

import numpy as np
import pytest

from wm_sim.scene import Camera, PandaScene


@pytest.fixture(scope="module")
def scene():
    made = PandaScene(3)
    yield made
    made.close()


def test_unturned_it_stands_where_it_was_put_to_the_last_bit():
    position, axes = Camera().pose()
    assert tuple(position) == Camera().position_m
    # As computed when the shipped model was trained.
    forward = np.subtract(Camera().target_m, Camera().position_m)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    up /= np.linalg.norm(up)
    np.testing.assert_array_equal(axes, np.stack([right, up, -forward / np.linalg.norm(forward)], axis=1))


@pytest.mark.parametrize("azimuth_deg", [-90.0, 15.0, 180.0])
def test_it_turns_anticlockwise_about_its_target_and_goes_on_looking_at_it(azimuth_deg):
    position, axes = Camera(azimuth_deg=azimuth_deg).pose()
    target, before = np.array(Camera().target_m), Camera().pose()[0]
    assert position[2] == pytest.approx(before[2])
    turned = np.angle(complex(*(position - target)[:2]) / complex(*(before - target)[:2]), deg=True)
    assert np.isclose(np.cos(np.radians(turned - azimuth_deg)), 1.0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes[:, 2], (position - target) / np.linalg.norm(position - target), atol=1e-12)


def test_a_turned_picture_turns_back_to_the_same_pixels(scene):
    before = scene.render().copy()
    scene.turn_camera(30.0)
    assert scene.camera.azimuth_deg == 30.0
    assert not np.array_equal(scene.render(), before)
    scene.turn_camera(0.0)
    np.testing.assert_array_equal(scene.render(), before)


def test_a_camera_built_turned_sees_what_one_turned_later_sees(scene):
    scene.reset(3)
    scene.turn_camera(-20.0)
    built = PandaScene(3, Camera(azimuth_deg=-20.0))
    np.testing.assert_array_equal(built.render(), scene.render())
    built.close()
