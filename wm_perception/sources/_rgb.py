"""OpenCV's pictures as ours."""

from __future__ import annotations

import cv2
import numpy as np

from .base import Frame


def rgb(bgr: cv2.typing.MatLike) -> Frame:
    """uint8 ``(H, W, 3)`` RGB from OpenCV's BGR."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
