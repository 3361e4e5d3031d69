"""Each declared topic has messages and a profile here."""

from __future__ import annotations

import pytest

from wm_core.topics import TOPICS, Qos, Topic
from wm_ros.endpoints import PROFILES, message


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_each_topic_has_messages(topic: Topic) -> None:
    package, name = topic.type.split("/")
    assert message(topic).__module__.startswith(f"{package}.msg") and message(topic).__name__ == name


def test_each_way_to_publish_has_a_profile() -> None:
    assert set(PROFILES) == set(Qos)
