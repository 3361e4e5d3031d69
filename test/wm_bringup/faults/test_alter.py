"""What an interposer does to messages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from std_msgs.msg import Header

from wm_bringup.faults import alter
from wm_core.errors import ConfigError
from wm_ros import convert

STAMP = convert.s_to_stamp(100.0)


def plan(x: float = 0.01):
    deltas = np.zeros((3, 7))
    deltas[:, 0] = x
    return convert.plan_to_msg(deltas, 0.25, STAMP, "base")


def pose():
    return convert.pose_to_msg([0.4, 0.0, 0.3, math.pi, 0.0, 0.0], STAMP, "base")


def latent():
    return convert.latent_to_msg(np.ones((1, 48), dtype=np.float32), STAMP, "camera")


def stamp_s(msg) -> float:
    return convert.stamp_to_s(msg.header.stamp)


def test_drop_and_delay() -> None:
    assert alter.make("drop", 0.0)(plan(), 5.0) == []
    ((due_s, msg),) = alter.make("delay", 1.0)(plan(), 5.0)
    assert due_s == 6.0 and stamp_s(msg) == 100.0


@pytest.mark.parametrize("shift_s", [1.0, -1.5])
def test_a_shifted_stamp(shift_s: float) -> None:
    ((due_s, msg),) = alter.make("shift_stamp", shift_s)(pose(), 5.0)
    assert due_s == 5.0 and stamp_s(msg) == pytest.approx(100.0 + shift_s)


def test_a_frozen_picture_comes_under_new_stamps() -> None:
    frozen = alter.make("freeze", 0.0)
    first = convert.image_to_msg(np.zeros((4, 4, 3), dtype=np.uint8), STAMP, "camera")
    frozen(first, 5.0)
    second = convert.image_to_msg(np.ones((4, 4, 3), dtype=np.uint8), convert.s_to_stamp(101.0), "camera")
    ((_, msg),) = frozen(second, 6.0)
    assert stamp_s(msg) == 101.0 and not convert.msg_to_image(msg).any()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_poison_reaches_every_kind(value: float) -> None:
    poison = alter.make("poison", value)
    ((_, bad),) = poison(latent(), 5.0)
    assert np.sum(~np.isfinite(convert.msg_to_latent(bad))) == 1
    ((_, bad),) = poison(plan(), 5.0)
    with pytest.raises(ValueError, match="not finite"):
        convert.msg_to_plan(bad)
    ((_, bad),) = poison(pose(), 5.0)
    with pytest.raises(ValueError, match="not finite"):
        convert.msg_to_pose(bad)


def test_a_jump_moves_the_pose() -> None:
    ((_, msg),) = alter.make("jump", 0.2)(pose(), 5.0)
    np.testing.assert_allclose(convert.msg_to_pose(msg)[:3], [0.4, 0.2, 0.3])


def test_a_push_lasts_and_a_spike_does_not() -> None:
    def wrench():
        return convert.wrench_to_msg(np.zeros(6), STAMP, "base")

    push, spike = alter.make("push", 20.0), alter.make("spike", 60.0)
    assert [push(wrench(), 5.0)[0][1].wrench.force.z for _ in range(3)] == [20.0, 20.0, 20.0]
    assert [spike(wrench(), 5.0)[0][1].wrench.force.z for _ in range(3)] == [60.0, 0.0, 0.0]


def test_two_messages_change_places() -> None:
    swap, first, second = alter.make("swap", 0.0), plan(0.01), plan(0.02)
    assert swap(first, 5.0) == []
    assert [msg for _, msg in swap(second, 6.0)] == [second, first]


def test_a_flood_is_a_thousand_fresh_plans_a_second_to_and_fro() -> None:
    out = alter.make("flood", 1000.0)(plan(), 5.0)
    assert len(out) == 1000 * alter.FLOOD_S
    np.testing.assert_allclose(np.diff([due_s for due_s, _ in out]), 1e-3)
    assert all(stamp_s(msg) == pytest.approx(due_s) for due_s, msg in out)
    forth, back = (convert.msg_to_plan(msg)[0] for _, msg in out[:2])
    np.testing.assert_array_equal(forth, -back)


def test_unknown_alterations_and_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="not one of the alterations"):
        alter.make("explode", 1.0)
    with pytest.raises(ConfigError, match="not finite"):
        alter.make("delay", math.nan)


def test_headers_are_not_shared() -> None:
    """A second message must not change what was kept of the first."""
    frozen, first = alter.make("freeze", 0.0), latent()
    frozen(first, 5.0)
    first.header = Header()
    ((_, msg),) = frozen(latent(), 6.0)
    assert stamp_s(msg) == 100.0
