"""Pictures out of a camera's messages, in the encodings that drivers use, and latents, which travel as images.

They are what OpenCV's ``cvtColor`` makes of them, by a table of ROS's names. cv_bridge has the same table over the same
function, but exists only beside a system's ROS; rosbags-image 0.10, which exists everywhere, ignores padding at the end
of rows, takes nv12 and nv21 only under a false height, and believes any size that a message claims. The rules:

- sizes are checked before anything is converted, and the data must be exactly as long as they say;
- 16 bits per value count over their full range: the high byte is taken. A camera that fills 12 of them looks dark, as
  it does everywhere else; ``16UC1`` is a depth image by ROS's convention and no picture;
- ``8UC3`` and ``8UC4`` are in OpenCV's order, blue first; ``8UC1`` is grey;
- YUV is ITU-R BT.601 in studio range, as OpenCV takes it; ``yuv422`` is ROS's old name of ``uyvy``. The data of
  ``nv12`` and ``nv21`` are half as long again as height x step.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from wm_core.errors import quoted
from wm_core.pictures import MAX_PIXELS, read_header


class _Encoding(NamedTuple):
    """``channels`` values per pixel of ``depth`` bytes, what makes RGB of them (None: they are), and what they need."""

    channels: int
    code: int | None
    depth: int = 1
    grey: bool = False
    rows: float = 1.0  # of data per row of the picture
    even: tuple[int, int] = (1, 1)  # what height and width must be multiples of


_ENCODINGS = {
    "rgb8": _Encoding(3, None),
    "bgr8": _Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(4, cv2.COLOR_BGRA2RGB),
    "8UC3": _Encoding(3, cv2.COLOR_BGR2RGB),
    "8UC4": _Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Encoding(1, cv2.COLOR_GRAY2RGB, grey=True),
    "8UC1": _Encoding(1, cv2.COLOR_GRAY2RGB, grey=True),
    "rgb16": _Encoding(3, None, 2),
    "bgr16": _Encoding(3, cv2.COLOR_BGR2RGB, 2),
    "rgba16": _Encoding(4, cv2.COLOR_RGBA2RGB, 2),
    "bgra16": _Encoding(4, cv2.COLOR_BGRA2RGB, 2),
    "mono16": _Encoding(1, cv2.COLOR_GRAY2RGB, 2, grey=True),
    "yuyv": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even=(1, 2)),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even=(1, 2)),
    "uyvy": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "yuv422": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even=(1, 2)),
    "nv12": _Encoding(1, cv2.COLOR_YUV2RGB_NV12, rows=1.5, even=(2, 2)),
    "nv21": _Encoding(1, cv2.COLOR_YUV2RGB_NV21, rows=1.5, even=(2, 2)),
    **{
        f"bayer_{order}{8 * depth}": _Encoding(1, code, depth)
        for depth in (1, 2)
        for order, code in (
            ("rggb", cv2.COLOR_BayerRGGB2RGB),
            ("bggr", cv2.COLOR_BayerBGGR2RGB),
            ("gbrg", cv2.COLOR_BayerGBRG2RGB),
            ("grbg", cv2.COLOR_BayerGRBG2RGB),
        )
    },
}


def msg_to_image(msg: Image | CompressedImage) -> NDArray[np.uint8]:
    """A camera's Image or CompressedImage to RGB uint8 ``(H, W, 3)``; an ``rgb8`` one is not copied (read-only).

    Raises ValueError, with one sentence, on what is no picture.
    """
    if isinstance(msg, CompressedImage):
        return _decoded(msg)
    encoding = _encoding(msg)
    if msg.height % encoding.even[0] or msg.width % encoding.even[1]:
        sides = "height and width" if encoding.even[0] > 1 else "width"
        raise ValueError(f"an image of {msg.width} x {msg.height} cannot be {msg.encoding}, whose {sides} are even")
    count = math.floor(msg.height * encoding.rows)
    packed = rows(msg, msg.width * encoding.channels * encoding.depth, count)
    if encoding.depth == 2:
        values = np.ascontiguousarray(packed).view(">u2" if msg.is_bigendian else "<u2")
        packed = (values >> 8).astype(np.uint8)
    pixels = packed.reshape(count, msg.width, encoding.channels)
    return pixels if encoding.code is None else np.asarray(cv2.cvtColor(pixels, encoding.code), dtype=np.uint8)


def is_grey(msg: Image | CompressedImage) -> bool:
    """Whether a picture that :func:`msg_to_image` takes has no colours."""
    if isinstance(msg, CompressedImage):
        return read_header(bytes(msg.data)).grey
    return _encoding(msg).grey


def rows(msg: Image, row_bytes: int, count: int | None = None) -> NDArray[np.uint8]:
    """The bytes ``(count, row_bytes)`` of an image without the padding at the end of its rows. Not copied.

    ``count``: rows of data, where they are not as many as those of the picture. Raises ValueError where the sizes
    cannot be, or the data are not as long as they say.
    """
    count = msg.height if count is None else count
    if msg.height * msg.width > MAX_PIXELS:
        raise ValueError(f"an image says that it has {msg.width} x {msg.height} pixels, which no camera has")
    if msg.height < 1 or row_bytes < 1 or msg.step < row_bytes or len(msg.data) != count * msg.step:
        raise ValueError(
            f"an image says {msg.width} x {msg.height} {quoted(msg.encoding)} with rows of {msg.step} bytes "
            f"but holds {len(msg.data)} bytes; look at its driver"
        )
    return np.frombuffer(msg.data, dtype=np.uint8).reshape(count, msg.step)[:, :row_bytes]


def msg_to_latent(msg: Image) -> NDArray[np.float32]:
    """The latent ``(T, C)`` of a ``32FC1`` Image, not copied (read-only). Values may be NaN; whoever plans checks."""
    if msg.encoding != "32FC1":
        raise ValueError(f"a latent must be a 32FC1 image, not {quoted(msg.encoding)}")
    if bool(msg.is_bigendian) != (sys.byteorder == "big"):
        raise ValueError("a latent has the other byte order")
    return np.ascontiguousarray(rows(msg, 4 * msg.width)).view(np.float32)


def _encoding(msg: Image) -> _Encoding:
    if (encoding := _ENCODINGS.get(msg.encoding)) is not None:
        return encoding
    if msg.encoding in ("16UC1", "32FC1"):
        raise ValueError(
            f"an image of encoding {quoted(msg.encoding)} shows depth; name the colour image of the camera"
        )
    raise ValueError(f"image encoding {quoted(msg.encoding)} is not one of {', '.join(_ENCODINGS)}")


def _decoded(msg: CompressedImage) -> NDArray[np.uint8]:
    data = bytes(msg.data)
    try:
        header = read_header(data)
        if header.width * header.height > MAX_PIXELS:
            raise ValueError(f"it says that it has {header.width} x {header.height} pixels, which no camera has")
        if not header.whole:
            raise ValueError("its end is missing")
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError("it is damaged")
    except (ValueError, cv2.error) as error:
        why = str(error) if isinstance(error, ValueError) else "it is damaged"
        raise ValueError(f"a compressed image of format {quoted(msg.format)} cannot be decoded: {why}") from None
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
