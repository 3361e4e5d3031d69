from __future__ import annotations

import queue
import threading
import time

import numpy as np
import pytest

from wm_core.errors import WmError
from wm_perception.encoder import MOST_GOALS, Encoder

WAIT_S = 5.0


class Rig:
    """An encoder whose model is the frame's mean, that can be held at work, on a clock that stands still.

    ``model``, ``on_latent`` and ``on_goal`` can be replaced.
    """

    def __init__(self, **options) -> None:
        self.now_s = 100.0
        self.may_encode, self.at_work = threading.Event(), threading.Semaphore(0)
        self.may_encode.set()
        self.latents: queue.Queue = queue.Queue()
        self.model = lambda frame: np.full((1, 1), np.mean(frame), dtype=np.float32)
        self.on_latent = self.on_goal = lambda latent, header: self.latents.put((latent, header))
        self.encoder: Encoder = Encoder(
            self.encode,
            lambda latent, header: self.on_latent(latent, header),
            on_goal=lambda latent, header: self.on_goal(latent, header),
            clock=lambda: self.now_s,
            **options,
        )

    def encode(self, frame):
        self.at_work.release()
        assert self.may_encode.wait(WAIT_S)
        return self.model(frame)

    def submit(self, value: int, age_s: float = 0.0) -> None:
        self.encoder.submit(np.full((2, 2, 3), value, dtype=np.uint8), f"header {value}", self.now_s - age_s)

    def submit_goal(self, value: int) -> None:
        self.encoder.submit_goal(np.full((2, 2, 3), value, dtype=np.uint8), f"goal {value}", value)

    def hold(self) -> None:
        """Make the worker stop inside encode, with frame 0."""
        self.may_encode.clear()
        self.submit(0)
        assert self.at_work.acquire(timeout=WAIT_S)

    def until(self, **counts: int):
        """The stats as soon as they show these counts."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            stats = self.encoder.stats()
            if all(getattr(stats, name) == value for name, value in counts.items()):
                return stats
            time.sleep(0.002)
        raise AssertionError(f"{self.encoder.stats()} never came to {counts}")


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "encoder"]


@pytest.fixture
def make_rig():
    rigs = []

    def make(**options) -> Rig:
        rigs.append(Rig(**options))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.may_encode.set()
        rig.encoder.close()
    assert not workers()


@pytest.fixture
def rig(make_rig) -> Rig:
    return make_rig()


def test_a_frame_becomes_a_latent_with_its_header(rig):
    rig.submit(7)
    latent, header = rig.latents.get(timeout=WAIT_S)
    assert latent == np.float32(7.0)
    assert header == "header 7"
    stats = rig.until(encoded=1)
    assert (stats.submitted, stats.replaced, stats.stale, stats.faults, stats.fault) == (1, 0, 0, 0, "")


def test_only_the_newest_frame_waits(rig):
    rig.hold()
    for value in range(1, 6):
        rig.submit(value)
    rig.may_encode.set()
    stats = rig.until(encoded=2)
    assert [rig.latents.get(timeout=WAIT_S)[1] for _ in range(2)] == ["header 0", "header 5"]
    assert (stats.submitted, stats.replaced) == (6, 4)
    assert rig.latents.empty()


def test_submit_does_not_wait_for_the_encoder(rig):
    rig.hold()
    start = time.perf_counter()
    for _ in range(100):
        rig.submit(1)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("age_s", [0.21, 1e9, -0.21, float("nan"), float("inf")])
def test_old_frames_and_frames_from_the_future_are_dropped(rig, age_s):
    rig.submit(1, age_s=age_s)
    rig.until(stale=1)
    rig.submit(2, age_s=0.19)
    assert rig.latents.get(timeout=WAIT_S)[1] == "header 2"
    assert rig.latents.empty()


def test_a_frame_may_grow_old_while_it_waits(rig):
    rig.hold()
    rig.submit(1)
    rig.now_s += 0.3
    rig.may_encode.set()
    rig.until(stale=1, encoded=1)


def test_zero_is_an_age_limit(make_rig):
    rig = make_rig(max_age_s=0.0)
    rig.submit(1, age_s=1e-3)
    rig.until(stale=1)


def test_goals_take_turns_with_frames(rig):
    order = []

    def goal_comes_with_the_next_frame(latent, header):
        order.append(header)
        rig.submit(len(order))

    rig.on_latent = lambda latent, header: order.append(header)
    rig.on_goal = goal_comes_with_the_next_frame
    rig.hold()
    for value in (11, 12, 13):
        rig.submit_goal(value)
    rig.may_encode.set()
    rig.until(goals=3, encoded=4)
    assert order == ["header 0", "goal 11", "header 2", "goal 12", "header 4", "goal 13", "header 6"]


def test_a_flood_of_goals_is_bounded_and_the_newest_win(rig):
    rig.hold()
    for value in range(1, MOST_GOALS + 11):
        rig.submit_goal(value)
    rig.submit_goal(MOST_GOALS)  # shown again
    rig.submit(255)
    rig.may_encode.set()
    assert [rig.latents.get(timeout=WAIT_S)[1] for _ in range(3)] == ["header 0", "header 255", "goal 11"]
    stats = rig.until(goals=MOST_GOALS)
    assert stats.dropped == 10 and stats.encoded == 2


def test_goals_have_no_age(rig):
    rig.now_s += 1e6
    rig.submit_goal(3)
    latent, header = rig.latents.get(timeout=WAIT_S)
    assert latent == np.float32(3.0)
    assert header == "goal 3"


def test_a_fault_is_reported_and_the_next_frame_is_encoded(rig):
    def fail(frame):
        raise WmError("the lens cap is on; take it off")

    healthy, rig.model = rig.model, fail
    rig.submit(1)
    assert rig.until(faults=1).fault == "the lens cap is on; take it off"
    rig.model = healthy
    rig.submit(2)
    stats = rig.until(encoded=1)
    assert (stats.faults, stats.fault) == (1, "")


def test_other_exceptions_and_callbacks_are_faults_too(rig):
    def fail(latent, header):
        raise KeyError("topic")

    rig.on_latent = fail
    rig.submit(1)
    stats = rig.until(faults=1)
    assert stats.fault == "KeyError: 'topic'"
    assert stats.encoded == 0


def test_a_goals_fault_stays_while_frames_go_well(rig):
    healthy = rig.model
    rig.model = lambda frame: healthy(frame) if frame.max() < 10 else 1 / 0
    rig.submit_goal(11)
    rig.until(faults=1)
    rig.submit(1)
    stats = rig.until(encoded=1)
    assert "ZeroDivisionError" in stats.goal_fault and stats.fault == ""
    rig.submit_goal(2)
    assert rig.until(goals=1).goal_fault == ""


def test_a_latent_that_is_not_finite_is_never_handed_over(rig):
    rig.model = lambda frame: np.array([[np.nan]], dtype=np.float32)
    rig.submit(1)
    assert "not finite" in rig.until(faults=1).fault
    assert rig.latents.empty()


def test_latency_is_from_stamp_to_latent_over_a_window(make_rig):
    rig = make_rig(window=2, max_age_s=1.0)
    assert np.isnan(rig.encoder.stats().latency_p50_s)
    for n, age_s in enumerate((0.9, 0.1, 0.3), start=1):
        rig.submit(n, age_s=age_s)
        rig.until(encoded=n)
    stats = rig.encoder.stats()
    assert stats.latency_p50_s == pytest.approx(0.2)
    assert stats.latency_p99_s == pytest.approx(0.298)


def test_after_close_nothing_happens(rig):
    rig.encoder.close()
    rig.encoder.close()
    rig.submit(1)
    rig.submit_goal(2)
    assert rig.encoder.stats().submitted == 0
    assert rig.latents.empty()


def test_close_from_a_callback_does_not_wait_for_itself(rig):
    rig.on_latent = lambda latent, header: rig.encoder.close()
    rig.submit(1)
    end = time.monotonic() + WAIT_S
    while workers() and time.monotonic() < end:
        time.sleep(0.002)
    assert not workers()
