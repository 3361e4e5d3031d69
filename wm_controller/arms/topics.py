"""Who is at the other end of a topic."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rclpy.node import Node

#: What rclpy calls a node whose publisher it knows, but not yet its name.
UNKNOWN = "_NODE_NAME_UNKNOWN_"


def rivals(node: Node, publisher: Any) -> str:
    """Who else publishes the topic of ``publisher`` (of ``node``), in one sentence that names them; "" if nobody does.

    The publisher's own topic name is asked for, because it is the one that remappings have already been applied to.
    """
    topic = publisher.topic_name
    found = Counter(
        info.node_name if info.node_namespace in ("/", "") else f"{info.node_namespace}/{info.node_name}"
        for info in node.get_publishers_info_by_topic(topic)
    )
    own = node.get_name() if node.get_namespace() == "/" else f"{node.get_namespace()}/{node.get_name()}"
    found[own] -= 1  # a second one by the same name is a rival as well
    others = [name.removeprefix("/") for name, count in found.items() if count > 0]
    if not others:
        return ""
    known = [f"'{name}'" for name in others if UNKNOWN not in name]
    who = f"the node {' and '.join(sorted(known))}" if known else "a node that is not known by name yet"
    return f"{who} also publishes {topic}; end it"


def unheard(publisher: Any, advice: str) -> str:
    """Why nothing happens if nobody subscribes to the topic of ``publisher``; "" if somebody does."""
    if publisher.get_subscription_count() > 0:
        return ""
    return f"nobody listens to {publisher.topic_name}; {advice}"
