from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("rclpy.node")
pytest.importorskip("rclpy.executors")


class Graph:
    """Nodes that are spun together, on the session's own domain."""

    def __init__(self) -> None:
        self.context = rclpy.context.Context()
        rclpy.init(context=self.context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self._nodes: list[rclpy.node.Node] = []

    def node(self, name: str, **options) -> rclpy.node.Node:
        self._nodes.append(rclpy.create_node(name, context=self.context, **options))
        self._executor.add_node(self._nodes[-1])
        return self._nodes[-1]

    def destroy(self, node: rclpy.node.Node) -> None:
        self._nodes.remove(node)
        self._executor.remove_node(node)
        node.destroy_node()

    def spin_until(self, done: Callable[[], bool], what: str = "no message came", timeout_s: float = 5.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, what
            self._executor.spin_once(timeout_sec=0.05)

    def spin(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    yield made
    made.close()
