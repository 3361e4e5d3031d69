"""Messages of somebody else, by their numbers; then with real publishers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import rclpy
from std_msgs.msg import String

from wm_ros.node import WmNode
from wm_ros.numbers import MOST_STRANGE, Numbers


def test_what_goes_on_is_of_the_same() -> None:
    numbers = Numbers()
    assert not any(numbers.strange(n, b"a") for n in (7, 8, 12, 13)), "some may be lost"


def test_what_does_not_go_on_is_of_another() -> None:
    numbers = Numbers()
    numbers.strange(7, b"a")
    assert numbers.strange(1, b"a") and numbers.strange(7, b"a") and not numbers.strange(8, b"a")


def test_a_new_publisher_counts_anew() -> None:
    numbers = Numbers()
    numbers.strange(7, b"a")
    assert not numbers.strange(1, b"b") and not numbers.strange(2, b"b") and numbers.strange(1, b"b")


def test_after_many_the_last_was_the_strange_one() -> None:
    numbers = Numbers()
    numbers.strange(1000, b"a")
    assert [numbers.strange(n, b"a") for n in range(1, MOST_STRANGE + 3)] == MOST_STRANGE * [True] + [False, False]


def test_without_numbers_nobody_is_strange() -> None:
    assert not any(Numbers().strange(None, publisher) for publisher in (b"a", None))


@pytest.fixture
def context() -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.try_shutdown()


def test_a_publisher_that_speaks_once_is_told_from_another(context: None) -> None:
    from dataclasses import make_dataclass

    node = WmNode("numbered", make_dataclass("Empty", [], frozen=True))
    numbers, heard = Numbers(), []
    node.create_subscription(
        String, "said", lambda msg, number: heard.append((msg.data, numbers.strange(number, b"a"))), 10, numbered=True
    )

    def say(publisher: object, word: str) -> None:
        until_s, before = time.monotonic() + 10.0, len(heard)
        while len(heard) == before:
            assert time.monotonic() < until_s
            if publisher.get_subscription_count():  # type: ignore[attr-defined]
                publisher.publish(String(data=word))  # type: ignore[attr-defined]
            rclpy.spin_once(node, timeout_sec=1.0)

    right = node.create_publisher(String, "said", 10)
    for _ in range(3):
        say(right, "right")
    once = node.create_publisher(String, "said", 10)
    say(once, "once")
    node.destroy_publisher(once)
    say(right, "right")
    node.destroy_node()
    assert heard == [*3 * [("right", False)], ("once", True), ("right", False)]
