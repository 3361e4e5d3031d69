"""From camera frames to the encoder's input. The encoder node, goal images and training all come through here."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .bundle import PreprocessSpec

_INTERPOLATION = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR}


def crop_box(height: int, width: int, spec: PreprocessSpec) -> tuple[int, int, int, int]:
    """The largest centred crop whose aspect lies within the spec's limits: (top, left, height, width) in pixels.

    The training crop of V-JEPA 2 (facebookresearch/vjepa2): its random crop never fits and falls back to this one.
    """
    crop_height, crop_width = height, width
    if width > spec.max_aspect * height:
        crop_width = max(1, round(spec.max_aspect * height))
    elif width < spec.min_aspect * height:
        crop_height = max(1, round(width / spec.min_aspect))
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def preprocess(frames: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.float32]:
    """Crop, resize and normalise: RGB uint8 ``(B, H, W, 3)`` to contiguous float32 ``(B, 3, height, width)``.

    The resize is done in float32, with pixel centres at half integers; ``bilinear`` does not smooth before it shrinks.
    A crop that already has the model's size is not resampled. Raises ValueError on another shape or dtype.
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        raise ValueError(f"frames must be a uint8 array, not {getattr(frames, 'dtype', type(frames).__name__)}")
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape[1:]:
        raise ValueError(f"frames must have the shape (B, H, W, 3), not {frames.shape}")
    top, left, height, width = crop_box(frames.shape[1], frames.shape[2], spec)
    crops = frames[:, top : top + height, left : left + width]
    # (x / 255 - mean) / std as one multiplication and one addition for each plane.
    std = np.asarray(spec.std, dtype=np.float64)
    scale, shift = (1.0 / (255.0 * std)).astype(np.float32), (-np.asarray(spec.mean) / std).astype(np.float32)
    out = np.empty((len(frames), 3, spec.height, spec.width), dtype=np.float32)
    for planes, crop in zip(out, crops, strict=True):
        image: NDArray[np.uint8] | NDArray[np.float32] = np.ascontiguousarray(crop)
        if (height, width) != (spec.height, spec.width):
            resized = cv2.resize(
                crop.astype(np.float32), (spec.width, spec.height), interpolation=_INTERPOLATION[spec.interpolation]
            )
            image = np.asarray(resized, dtype=np.float32)
        for channel, plane in enumerate(cv2.split(image)):
            np.multiply(plane, scale[channel], out=planes[channel], dtype=np.float32)
            planes[channel] += shift[channel]
    return out
