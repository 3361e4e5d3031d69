"""Every encoding against a picture that is known, with padding at the end of rows and odd sizes."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from wm_ros.images import _ENCODINGS, is_grey, msg_to_image, msg_to_latent

#: Four areas of one colour each, of odd sizes.
COLOURS = np.array([[[200, 30, 60], [20, 180, 90]], [[10, 70, 220], [128, 128, 128]]], dtype=np.uint8)
PICTURE = np.repeat(np.repeat(COLOURS, [13, 12], axis=0), [15, 14], axis=1)
EVEN = PICTURE[:24, :28]


def message(encoding: str, packed: np.ndarray, width: int, height: int, padding: int, big: bool = False) -> Image:
    """``packed`` (rows, ...) of uint8 or uint16, row by row, each followed by ``padding`` bytes of rubbish."""
    if packed.dtype == np.uint16:
        packed = packed.astype(">u2" if big else "<u2")
    flat = np.ascontiguousarray(packed).view(np.uint8).reshape(len(packed), -1)
    rows = np.pad(flat, ((0, 0), (0, padding)), constant_values=170)
    return Image(
        width=width, height=height, encoding=encoding, step=rows.shape[1], is_bigendian=int(big), data=rows.tobytes()
    )


def yuv(rgb: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 in studio range, (H, W, 3)."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    return np.stack([y, u, v], axis=-1).round().astype(np.uint8)


def interleaved(picture: np.ndarray, order: str) -> np.ndarray:
    """Packed 4:2:2, two values per pixel; the colours of two pixels side by side are the left one's."""
    y, u, v = np.moveaxis(yuv(picture), -1, 0)
    colour = np.where(np.arange(picture.shape[1]) % 2 == 0, u, np.roll(v, 1, axis=1))
    return np.stack([y, colour] if order == "yuyv" else [colour, y], axis=-1)


def planar(picture: np.ndarray, order: str) -> np.ndarray:
    """4:2:0 with the colours interleaved in half as many rows below the brightness."""
    y, u, v = np.moveaxis(yuv(picture), -1, 0)
    u, v = u[::2, ::2], v[::2, ::2]
    colours = np.stack([u, v] if order == "nv12" else [v, u], axis=-1)
    return np.concatenate([y, colours.reshape(len(u), -1)])


def mosaic(picture: np.ndarray, order: str) -> np.ndarray:
    """One colour per pixel; ``order`` names those of the upper left 2 x 2, row by row."""
    out = np.empty(picture.shape[:2], picture.dtype)
    for k, name in enumerate(order):
        out[k // 2 :: 2, k % 2 :: 2] = picture[k // 2 :: 2, k % 2 :: 2, "rgb".index(name)]
    return out


def inside(difference: np.ndarray) -> np.ndarray:
    """Without the pixels beside an edge between two colours, or of the picture, where colours are interpolated."""
    keep = np.ones(difference.shape[:2], bool)
    for edge in (0, 13, difference.shape[0] - 1):
        keep[max(edge - 2, 0) : edge + 2] = False
    for edge in (0, 15, difference.shape[1] - 1):
        keep[:, max(edge - 2, 0) : edge + 2] = False
    return difference[keep]


@pytest.mark.parametrize("padding", [0, 1, 6])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", sorted(_ENCODINGS))
def test_every_encoding(encoding: str, big: bool, padding: int) -> None:
    """The order of bytes is of interest to 16-bit encodings only."""
    wide = encoding.endswith("16")
    picture, alpha, slack = PICTURE, np.full((*PICTURE.shape[:2], 1), 9, np.uint8), 0
    base = encoding.removesuffix("16").removesuffix("8")
    if base in ("rgb", "bgr", "rgba", "bgra", "8UC3", "8UC4"):
        packed = picture if base.startswith("rgb") else picture[..., ::-1]
        packed = np.concatenate([packed, alpha], axis=-1) if base in ("rgba", "bgra", "8UC4") else packed
    elif base in ("mono", "8UC1"):
        packed, picture = PICTURE[..., 0], np.repeat(PICTURE[..., :1], 3, axis=2)
    elif base.startswith("bayer"):
        packed = mosaic(picture, base[6:])
    elif base in ("nv12", "nv21"):
        packed, picture, slack = planar(EVEN, base), EVEN, 4
    else:
        order = {"yuv422_yuy2": "yuyv", "yuv422": "uyvy"}.get(encoding, encoding)
        packed, picture, slack = interleaved(EVEN, order), EVEN, 4
    if wide:
        packed = packed.astype(np.uint16) * 256 + 171  # what the low byte is does not matter
    msg = message(encoding, packed, picture.shape[1], picture.shape[0], padding, big)
    found = msg_to_image(msg)
    assert found.dtype == np.uint8 and found.shape == picture.shape
    difference = np.abs(found.astype(int) - picture.astype(int))
    exact = not base.startswith(("bayer", "nv", "yuv", "yuyv", "uyvy"))
    assert (difference if exact else inside(difference)).max() <= slack
    assert is_grey(msg) == (base in ("mono", "8UC1"))


@pytest.mark.parametrize(
    ("encoding", "width", "height", "sides"),
    [("yuyv", 7, 4, "width"), ("uyvy", 3, 3, "width"), ("nv12", 4, 3, "height and"), ("nv21", 5, 4, "height and")],
)
def test_colours_that_pixels_share_need_even_sizes(encoding: str, width: int, height: int, sides: str) -> None:
    msg = Image(width=width, height=height, encoding=encoding, step=2 * width, data=bytes(2 * width * height))
    with pytest.raises(ValueError, match=f"an image of {width} x {height} cannot be {encoding}, whose {sides}"):
        msg_to_image(msg)


@pytest.mark.parametrize("off", [-1, 1, 5])
@pytest.mark.parametrize("encoding", ["rgb8", "mono16", "nv12", "yuyv", "bayer_rggb8"])
def test_data_must_be_as_long_as_they_say(encoding: str, off: int) -> None:
    length = {"nv12": 8 * 24 * 3 // 2}.get(encoding, 8 * 24)
    msg = Image(width=8, height=8, encoding=encoding, step=24, data=bytes(length + off))
    with pytest.raises(ValueError, match=f"8 x 8 '{encoding}' with rows of 24 bytes but holds {length + off} bytes"):
        msg_to_image(msg)


@pytest.mark.parametrize("encoding", ["rgb8", "nv12", "32FC1"])
@pytest.mark.parametrize(
    ("width", "height", "step"), [(2**32 - 2, 2**32 - 2, 2**32 - 1), (60_000, 60_000, 180_000), (0, 5, 5), (5, 0, 5)]
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_made_of_them(
    encoding: str, width: int, height: int, step: int
) -> None:
    msg = Image(width=width, height=height, encoding=encoding, step=step, data=bytes(100))
    with pytest.raises(ValueError, match="image"):
        (msg_to_latent if encoding == "32FC1" else msg_to_image)(msg)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_is_no_picture(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"encoding '{encoding}' shows depth; name the colour image"):
        msg_to_image(Image(width=2, height=2, encoding=encoding, step=8, data=bytes(16)))


@pytest.mark.parametrize("encoding", ["", "rgb", "RGB8", "nv24", "8UC2", "x" * 10_000_000, "'\n"])
def test_an_unknown_encoding_is_named_and_cut(encoding: str) -> None:
    with pytest.raises(ValueError, match="is not one of rgb8, bgr8") as refused:
        msg_to_image(Image(width=2, height=2, encoding=encoding, step=8, data=bytes(16)))
    assert len(str(refused.value)) < 600 and "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_pictures(suffix: str) -> None:
    data = cv2.imencode(suffix, PICTURE[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    msg = CompressedImage(format="rgb8; jpeg compressed bgr8", data=data)
    assert inside(np.abs(msg_to_image(msg).astype(int) - PICTURE.astype(int))).max() <= 8 and not is_grey(msg)
    assert is_grey(CompressedImage(data=cv2.imencode(suffix, PICTURE[..., 0])[1].tobytes()))
    for cut in (data[:-10], data[: len(data) // 2]):
        with pytest.raises(ValueError, match="cannot be decoded: its end is missing"):
            msg_to_image(CompressedImage(format="jpeg", data=cut))


def test_a_compressed_picture_that_claims_to_be_huge_is_not_decoded() -> None:
    data = bytearray(cv2.imencode(".jpg", PICTURE)[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    with pytest.raises(ValueError, match="65500 x 65500 pixels, which no camera has"):
        msg_to_image(CompressedImage(format="jpeg", data=bytes(data)))


@given(st.binary(max_size=100), st.integers(0, 700))
def test_no_bytes_raise_anything_else(data: bytes, cut: int) -> None:
    start = cv2.imencode(".jpg", PICTURE)[1].tobytes()[:cut]
    with contextlib.suppress(ValueError):
        msg_to_image(CompressedImage(format="jpeg", data=start + data + b"\xff\xd9"))


@given(
    st.sampled_from(sorted(_ENCODINGS)),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 80),
    st.binary(max_size=900),
)
def test_no_image_raises_anything_else(encoding: str, width: int, height: int, step: int, data: bytes) -> None:
    fitting = int(height * step * _ENCODINGS[encoding].rows)
    for content in (data, bytes(fitting)):
        try:
            found = msg_to_image(Image(width=width, height=height, encoding=encoding, step=step, data=content))
            assert found.shape == (height, width, 3)
        except ValueError:
            pass
