from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from rclpy.node import Node


@pytest.fixture
def node() -> Iterator[Node]:
    rclpy.init()
    made = rclpy.create_node("test_node")
    yield made
    made.destroy_node()
    rclpy.shutdown()
