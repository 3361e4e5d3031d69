"""What a JPEG or PNG file says of itself, read before it is decoded: it may claim any size, and it may be cut short."""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: 8K UHD, 7680 x 4320: no camera of a robot has more, and 100 MB of pixels take a second to decode.
MAX_PIXELS = 7680 * 4320

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
#: Marks of JPEG that begin a frame, with its size (0xC4, 0xC8 and 0xCC are others), and those without a length.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True)
class Header:
    """Size in pixels, whether the picture has no colours, and whether the file has its end."""

    width: int
    height: int
    grey: bool
    whole: bool


def read_header(data: bytes) -> Header:
    """The header of a JPEG or PNG file. Raises ValueError if it is neither, or has none."""
    if data.startswith(_PNG) and len(data) >= 26:
        width, height, _, colours = struct.unpack(">IIBB", data[16:26])
        return Header(width, height, colours in (0, 4), b"IEND" in data[-12:])
    if data.startswith(_JPEG):
        return _jpeg(data)
    raise ValueError("it is neither a JPEG nor a PNG")


def _jpeg(data: bytes) -> Header:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        mark = data[at + 1]
        if mark == 0xFF:  # padding
            at += 1
        elif mark in _BARE:
            at += 2
        elif mark in _FRAMES:
            height, width, channels = struct.unpack(">HHB", data[at + 5 : at + 10])
            # Some cameras fill what is left of their buffer with zeros.
            return Header(width, height, channels == 1, data[-4096:].rstrip(b"\0").endswith(b"\xff\xd9"))
        else:
            at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise ValueError("it is a JPEG without a header")
