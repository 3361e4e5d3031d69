"""The one shape of every source of frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError
from wm_core.kinds import Kinds

Frame = NDArray[np.uint8]

SOURCES: Kinds[type[SourceConfig]] = Kinds("camera source", "wm_perception.sources")


class SourceError(WmError):
    """A source cannot be opened, or has stopped giving frames."""


class FrameSource(ABC):
    """Gives RGB frames.

    ``fps``: frames per second at which the caller must read; None where :meth:`read` waits for the next frame.
    """

    fps: float | None = None

    @abstractmethod
    def read(self) -> tuple[Frame, float] | None:
        """The next frame, uint8 ``(H, W, 3)`` RGB, and its stamp in seconds of the wall clock.

        None where the source has come to its end. Raises SourceError where it fails.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device or the file. Calling it twice does no harm."""


@dataclass(frozen=True)
class SourceConfig(ABC):
    """Which source there is, and its settings."""

    KINDS: ClassVar[Kinds[type[SourceConfig]]] = SOURCES

    kind: str = "device"

    @abstractmethod
    def open(self) -> FrameSource:
        """The source. Raises SourceError where it cannot be opened."""
