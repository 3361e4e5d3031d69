"""The size of a camera's frames, which is to stay as long as an arm acts on what they show."""

from __future__ import annotations

#: A picture that was scaled to whole pixels differs in its proportions by less; 4:3 and 3:2 differ by an eighth.
PROPORTIONS = 0.02


class FrameSize:
    """Compares sizes. Not for several threads at once, but ``fixed`` may be set from another one.

    Attributes:
        size: (width, height) of the camera's frames; None before the first.
        fixed: whether a run is in progress, and the size of its first frame must be that of all.
    """

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self.fixed = False

    def frame(self, width: int, height: int) -> str:
        """Take a frame's size. Why the frame must not be acted on, or "": the size of before may come back."""
        if self.size is None or not self.fixed:
            self.size = width, height
        if (width, height) == self.size:
            return ""
        return (
            f"a frame has {width} x {height} pixels, and the run began with {self.size[0]} x {self.size[1]}; "
            "set the camera back, or restart the encoder"
        )

    def goal(self, width: int, height: int) -> str:
        """Why a goal picture of this size does not show what the camera would, or ""."""
        if self.size is None:
            return "no frame of the camera has come yet, which goal pictures have to be compared with"
        camera = self.size[0] / self.size[1]
        if abs(width / height / camera - 1.0) <= PROPORTIONS:
            return ""
        return (
            f"a goal picture has {width} x {height} pixels and the camera {self.size[0]} x {self.size[1]}, which is "
            "another shape; record the goals with this camera"
        )
