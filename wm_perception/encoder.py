"""The core of the encoder node: one worker thread that always encodes the newest frame, never a queue of old ones."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from wm_core.errors import WmError

#: A frame in whatever form ``encode`` takes it: an array, or a message that is better decoded in the worker thread.
F = TypeVar("F")
#: Whatever goes with a frame, such as its message header; handed back with the latent, never looked at.
H = TypeVar("H")

Latent = NDArray[np.float32]

#: Goal pictures that may wait: a full set (wm_ros.convert.MAX_GOALS), and another one that replaces it.
MOST_GOALS = 128


@dataclass(frozen=True)
class EncoderStats:
    """What an encoder has done so far.

    ``replaced`` frames gave way to a newer one before their turn, ``stale`` ones were too old (or from the future)
    when it came, ``faults`` are frames and goal images whose encoding or callback raised. ``fault`` says what raised
    last, until another frame has gone well; ``goal_fault`` the same of goal images, of which ``dropped`` ones gave way
    to newer ones. Latency, from a frame's stamp to its latent handed
    over, is over the latest frames only; NaN before the first.
    """

    submitted: int = 0
    encoded: int = 0
    replaced: int = 0
    stale: int = 0
    goals: int = 0
    dropped: int = 0
    faults: int = 0
    fault: str = ""
    goal_fault: str = ""
    latency_p50_s: float = float("nan")
    latency_p99_s: float = float("nan")


class Encoder(Generic[F, H]):
    """A mailbox for one frame and a thread that encodes what lies in it.

    Args:
        encode: a frame -> its latent float32 ``(T, C)``; called in the worker thread only.
        on_latent: called in the worker thread with the latent ``(T, C)`` of a frame and the frame's header.
        on_goal: the same for goal images.
        max_age_s: a frame whose stamp is further from the clock than this when its turn comes is dropped.
        window: how many of the latest frames the latencies are computed over.
        clock: seconds, of the same clock as the stamps.
    """

    def __init__(
        self,
        encode: Callable[[F], Latent],
        on_latent: Callable[[Latent, H], None],
        *,
        on_goal: Callable[[Latent, H], None],
        max_age_s: float = 0.2,
        window: int = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._encode, self._on_latent, self._on_goal = encode, on_latent, on_goal
        self._max_age_s, self._clock = max_age_s, clock
        self._frame: tuple[F, H, float] | None = None
        self._goals: dict[Hashable, tuple[F, H]] = {}
        self._latencies_s: deque[float] = deque(maxlen=window)
        self._counts = dict.fromkeys(("submitted", "encoded", "replaced", "stale", "goals", "dropped", "faults"), 0)
        self._faults = {"encoded": "", "goals": ""}
        self._closed = False
        self._changed = threading.Condition()
        self._worker = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._worker.start()

    def submit(self, frame: F, header: H, stamp_s: float) -> None:
        """Put a camera frame into the mailbox; it replaces one that still waits. Never blocks.

        The frame is not copied: it must not be written to afterwards. After :meth:`close` nothing happens.
        """
        with self._changed:
            if self._closed:
                return
            self._counts["submitted"] += 1
            self._counts["replaced"] += self._frame is not None
            self._frame = (frame, header, stamp_s)
            self._changed.notify()

    def submit_goal(self, frame: F, header: H, key: Hashable) -> None:
        """Encode a goal image as well, whatever its age.

        Goals take turns with camera frames, so that a long list of them does not stop the stream of latents. One that
        waits is replaced by another of the same ``key``, and the oldest one gives way where more than MOST_GOALS wait.
        """
        with self._changed:
            if self._closed:
                return
            self._goals[key] = frame, header
            if len(self._goals) > MOST_GOALS:
                del self._goals[next(iter(self._goals))]
                self._counts["dropped"] += 1
            self._changed.notify()

    def stats(self) -> EncoderStats:
        """Counts, fault and latencies up to now."""
        with self._changed:
            p50, p99 = np.quantile(self._latencies_s, (0.5, 0.99)) if self._latencies_s else (np.nan, np.nan)
            return EncoderStats(
                **self._counts,
                fault=self._faults["encoded"],
                goal_fault=self._faults["goals"],
                latency_p50_s=float(p50),
                latency_p99_s=float(p99),
            )

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop the worker after the frame it is at, and wait for it. What still waits is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is not self._worker:
            self._worker.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._frame is not None or len(self._goals) > 0)
                if self._closed:
                    return
                frame, self._frame = self._frame, None
                goal = self._goals.pop(next(iter(self._goals))) if self._goals else None
            if frame is not None:
                self._guarded("encoded", self._encode_frame, *frame)
            if goal is not None:
                self._guarded("goals", self._encode_goal, *goal)

    def _guarded(self, kind: str, work: Callable[..., bool], *job: object) -> None:
        """Run one job and count it; whatever it raises becomes a fault, and the worker lives on."""
        fault = ""
        try:
            counter = kind if work(*job) else "stale"
        except Exception as error:
            counter = "faults"
            fault = str(error) if isinstance(error, (WmError, ValueError)) else f"{type(error).__name__}: {error}"
        with self._changed:
            self._counts[counter] += 1
            if counter != "stale":
                self._faults[kind] = fault

    def _encode_frame(self, frame: F, header: H, stamp_s: float) -> bool:
        """False where the frame is too old. A stamp that is NaN is too old as well."""
        if not abs(self._clock() - stamp_s) <= self._max_age_s:
            return False
        self._on_latent(self._latent(frame), header)
        with self._changed:
            self._latencies_s.append(self._clock() - stamp_s)
        return True

    def _encode_goal(self, frame: F, header: H) -> bool:
        self._on_goal(self._latent(frame), header)
        return True

    def _latent(self, frame: F) -> Latent:
        latent = self._encode(frame)
        if not np.isfinite(latent).all():
            raise WmError("the encoder gave a latent that is not finite; check the model bundle")
        return latent
