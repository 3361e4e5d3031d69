from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_models.bundle import PreprocessSpec
from wm_models.preprocess import crop_box, preprocess

#: The prep_* arrays computed with facebookresearch/vjepa2 (MIT): the 256-pixel results are every 5th row and column.
PARITY = np.load(Path(__file__).parents[1] / "data" / "vjepa2_ac_public.npz")
PLAIN = PreprocessSpec(8, 8, min_aspect=1.0, max_aspect=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("crop", ["train", "square"])
@pytest.mark.parametrize(
    ("raw", "out", "size"), [("wide", "wide", 256), ("4x3", "4x3", 256), ("wide", "small_wide", 64)]
)
def test_agrees_with_vjepa2(raw, out, size, crop):
    spec = PreprocessSpec(size, size) if crop == "train" else PreprocessSpec(size, size, min_aspect=1.0, max_aspect=1.0)
    image = preprocess(PARITY[f"prep_{raw}_raw"][None], spec)[0]
    wanted = PARITY[f"prep_{out}_{crop}"]
    stride = 5 if size == 256 else 1
    np.testing.assert_allclose(image[:, ::stride, ::stride], wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((720, 1280), (0, 154, 720, 972)),  # the size of DROID's frames
        ((480, 640), (0, 0, 480, 640)),
        ((640, 480), (0, 0, 640, 480)),
        ((640, 360), (80, 0, 480, 360)),
        ((5, 10), (0, 1, 5, 7)),  # 6.75 rounds to 7; an odd rest leaves the larger part on the right
    ],
)
def test_crop_box(size, box):
    assert crop_box(*size, PreprocessSpec(8, 8)) == box


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0.1, 2.0), st.floats(1.0, 5.0))
def test_crop_box_lies_centred_within_the_frame(height, width, least, ratio):
    top, left, h, w = crop_box(height, width, PreprocessSpec(8, 8, min_aspect=least, max_aspect=least * ratio))
    assert h >= 1
    assert w >= 1
    assert 0 <= height - h - 2 * top <= 1
    assert 0 <= width - w - 2 * left <= 1


def test_a_frame_of_the_models_size_is_not_resampled():
    frames = noise(3, 8, 8, 3)
    for interpolation in ("area", "bilinear"):
        out = preprocess(frames, dataclasses.replace(PLAIN, interpolation=interpolation))
        np.testing.assert_allclose(out, frames.transpose(0, 3, 1, 2) / 255.0, atol=1e-7)
        assert out.dtype == np.float32
        assert out.flags.c_contiguous


def test_area_averages_and_bilinear_does_not():
    frames = noise(1, 32, 32, 3)
    mean = frames.reshape(1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2) / 255.0
    np.testing.assert_allclose(preprocess(frames, dataclasses.replace(PLAIN, interpolation="area")), mean, atol=1e-6)
    # Between the middle four pixels of each 4x4 patch, whatever the other twelve are.
    middle = frames.reshape(1, 8, 4, 8, 4, 3)[:, :, 1:3, :, 1:3].mean(axis=(2, 4)).transpose(0, 3, 1, 2) / 255.0
    np.testing.assert_allclose(preprocess(frames, PLAIN), middle, atol=1e-6)


def test_normalisation_is_by_channel():
    frames = np.full((1, 8, 8, 3), (255, 0, 51), dtype=np.uint8)
    out = preprocess(frames, dataclasses.replace(PLAIN, mean=(0.5, 0.25, 0.2), std=(0.5, 0.25, 0.1)))
    np.testing.assert_allclose(out[0, :, 0, 0], (1.0, -1.0, 0.0), atol=1e-6)


def test_height_and_width_are_not_mixed_up():
    out = preprocess(noise(2, 40, 60, 3), PreprocessSpec(16, 24, max_aspect=1.5))
    assert out.shape == (2, 3, 16, 24)


def test_views_give_what_copies_give():
    frames = noise(4, 40, 60, 3)
    for view in (frames[::2], frames[..., ::-1], frames[:, ::-1, 4:50]):
        np.testing.assert_array_equal(preprocess(view, PLAIN), preprocess(view.copy(), PLAIN))


def test_a_batch_is_its_frames_one_by_one():
    frames = noise(3, 30, 40, 3)
    np.testing.assert_array_equal(
        preprocess(frames, PLAIN), np.concatenate([preprocess(f[None], PLAIN) for f in frames])
    )
    assert preprocess(frames[:0], PLAIN).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((8, 8, 3), dtype=np.uint8),
        np.zeros((1, 8, 8, 4), dtype=np.uint8),
        np.zeros((1, 3, 8, 8), dtype=np.uint8),
        np.zeros((1, 0, 8, 3), dtype=np.uint8),
        np.zeros((1, 8, 8, 3), dtype=np.float32),
        [[[[0, 0, 0]]]],
    ],
)
def test_refuses_other_shapes_and_types(frames):
    with pytest.raises(ValueError, match="frames must"):
        preprocess(frames, PLAIN)
