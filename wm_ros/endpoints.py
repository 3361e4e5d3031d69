"""The declared topics (wm_core/topics.py) as publishers and subscriptions."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from wm_core.topics import Qos, Topic

from . import qos

PROFILES: dict[Qos, QoSProfile] = {
    Qos.SENSOR: qos.SENSOR,
    Qos.COMMAND: qos.COMMAND,
    Qos.LATCHED: qos.LATCHED,
    Qos.GOALS: qos.GOALS,
    Qos.DIAGNOSTICS: qos.DIAGNOSTICS,
}


@functools.cache
def message(topic: Topic) -> Any:
    """The class of its messages."""
    package, _, name = topic.type.partition("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)


def publisher(node: Node, topic: Topic) -> Publisher:
    """Publishes it."""
    return node.create_publisher(message(topic), topic.name, PROFILES[topic.qos])


def subscribe(
    node: Node, topic: Topic, take: Callable[..., Any], profile: QoSProfile | None = None, **more: Any
) -> Subscription:
    """Have ``take`` called with each message.

    ``profile``: None for that by which it is published; ``more``: as of the node's ``create_subscription``.
    """
    kept = PROFILES[topic.qos] if profile is None else profile
    return node.create_subscription(message(topic), topic.name, take, kept, **more)
