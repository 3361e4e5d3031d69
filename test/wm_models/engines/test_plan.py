from __future__ import annotations

import dataclasses

import pytest

from wm_core.errors import BundleError, ConfigError
from wm_models.engines.plan import Limits, profile

LIMITS = Limits(max_batch=256, opt_batch=64, max_window=3)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("latent", (-1, 4, 3), ((1, 4, 3), (64, 4, 3), (256, 4, 3))),
        ("state", (-1, 7), ((1, 7), (64, 7), (256, 7))),
        ("latents", (-1, -1, 4, 3), ((1, 1, 4, 3), (64, 3, 4, 3), (256, 3, 4, 3))),  # tuned for the full window
        ("image", (-1, 3, 64, 64), ((1, 3, 64, 64), (1, 3, 64, 64), (8, 3, 64, 64))),  # one frame, or goal images
        ("state", (1, 7), ((1, 7),) * 3),
    ],
)
def test_profile(name, shape, expected):
    assert profile(name, shape, LIMITS) == expected


def test_a_small_engine_has_a_small_encoder():
    assert profile("image", (-1, 3, 8, 8), Limits(2, 2, 1))[2] == (2, 3, 8, 8)


def test_other_free_dimensions_are_refused():
    with pytest.raises(BundleError, match=r"'image' has the shape .*; only batch and window may be free"):
        profile("image", (-1, 3, -1, -1), LIMITS)


def test_the_window_is_the_history_of_the_bundle(bundle, make_bundle, tmp_path):
    assert Limits.of(make_bundle(history=3).path / "predictor.onnx", 256, None, None) == Limits(256, 256, 3)
    assert Limits.of(bundle.path / "predictor.onnx", 256, 8, 2) == Limits(256, 8, 2)
    assert Limits.of(tmp_path / "alone.onnx", 16, None, None) == Limits(16, 16, 1)


@pytest.mark.parametrize("change", [{"opt_batch": 0}, {"opt_batch": 257}, {"max_window": 0}, {"max_batch": 0}])
def test_limits_that_make_no_sense(change):
    with pytest.raises(ConfigError, match="must"):
        dataclasses.replace(LIMITS, **change)
