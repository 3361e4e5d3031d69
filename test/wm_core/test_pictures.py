from __future__ import annotations

import contextlib
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_core.pictures import read_header

PICTURE = np.random.default_rng(0).integers(0, 256, (31, 47, 3), dtype=np.uint8)


def file(suffix: str, picture: np.ndarray = PICTURE, *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, picture, options)[1].tobytes())


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_a_jpeg(options: tuple) -> None:
    header = read_header(file(".jpg", PICTURE, *options))
    assert (header.width, header.height, header.grey, header.whole) == (47, 31, False, True)


def test_a_png_and_grey_ones() -> None:
    header = read_header(file(".png"))
    assert (header.width, header.height, header.grey, header.whole) == (47, 31, False, True)
    for suffix in (".png", ".jpg"):
        header = read_header(file(suffix, PICTURE[..., 0]))
        assert (header.width, header.height, header.grey, header.whole) == (47, 31, True, True)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_file_that_is_cut_short_is_not_whole(suffix: str) -> None:
    data = file(suffix)
    assert not read_header(data[:-20]).whole and not read_header(data[: len(data) // 2]).whole


def test_a_jpeg_in_a_buffer_that_is_too_long_is_whole() -> None:
    assert read_header(file(".jpg") + bytes(1000)).whole


def test_a_size_is_read_before_anything_is_decoded() -> None:
    data = bytearray(file(".png"))
    data[16:24] = struct.pack(">II", 2**31, 2**31)
    assert read_header(bytes(data)).width == 2**31


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM" + bytes(100)])
def test_what_is_neither_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        read_header(data)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.integers(0, 400))
def test_no_bytes_raise_anything_else(data: bytes, start: bytes, cut: int) -> None:
    for given_ in (start + data, file(".jpg")[:cut] + data):
        with contextlib.suppress(ValueError):
            read_header(given_)
