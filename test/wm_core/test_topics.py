"""The declaration of the topics, and what repeats it for people or for an arm's preset."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wm_core import topics
from wm_core.measured import MeasuredConfig
from wm_core.names import check_topic

DOCS = Path(__file__).parents[2] / "docs" / "architecture.md"


def test_the_table_for_people_says_the_same() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| `(\w+/\w+)` \| (\w+) \| (\w+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) == len(set(rows))
    assert set(rows) == {(t.name, t.type, t.by, t.qos.value) for t in topics.TOPICS.values()}


def test_the_services_are_in_it() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert ", ".join(f"`{name}`" for name in topics.OPERATOR) in text and f"`{topics.USE_GOALS}`" in text


@pytest.mark.parametrize("topic", topics.TOPICS.values(), ids=lambda topic: topic.name)
def test_each_topic_has_a_name_that_ros_takes(topic: topics.Topic) -> None:
    check_topic("it", topic.name)


def test_each_role_has_topics_of_its_own() -> None:
    for role in topics.ROLES:
        assert topics.TOPICS[f"{role}/plan"].by == topics.TOPICS[f"{role}/status"].by == role


def test_the_defaults_of_an_arm_are_the_simulators() -> None:
    m = MeasuredConfig()
    assert (m.pose_topic, m.wrench_topic, m.gripper_topic) == tuple(
        topic.name for topic in (topics.POSE, topics.WRENCH, topics.GRIPPER)
    )
