"""What an ONNX file takes from other files, told without the onnx package, which a robot does not have."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from wm_core.errors import BundleError

#: How protobuf writes the entry ("location", path) of TensorProto.external_data (onnx/onnx, onnx.proto): field 1 of
#: length 8, then field 2. Its length, a varint, and the path follow.
_LOCATION = re.compile(rb"\x0a\x08location\x12")


def external_files(path: Path) -> list[str]:
    """The files that the tensors of a graph lie in, subgraphs included, as it names them: relative to its own folder.

    Raises BundleError where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return []  # which cannot be mapped
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return sorted({_text(data, match.end()) for match in _LOCATION.finditer(data)})
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; fetch the bundle again") from None


def _text(data: mmap.mmap, at: int) -> str:
    """The string whose length begins at ``at``; what a file that is cut off has of it."""
    length = shift = 0
    for byte in data[at : at + 5]:  # a length below 2**35
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return data[at : at + length].decode(errors="replace")
