"""How a node of ours is made and run."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from wm_core.errors import WmError

from . import params

T = TypeVar("T")

#: Exit status of a node that could not run and said why in one sentence.
EXIT_CANNOT_RUN = 2


class WmNode(Node, Generic[T]):
    """A node with a configuration. ``close`` is called once, after the last callback.

    Args:
        name: default name; a remapping may change it.
        config: dataclass of its parameters, see :func:`wm_ros.params.read`.
    """

    def __init__(self, name: str, config: type[T]) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True)
        self.config: T = params.read(self, config)

    def now_s(self) -> float:
        """The node's clock in seconds."""
        return self.get_clock().now().nanoseconds * 1e-9

    def warn(self, sentence: str) -> None:
        """Log a warning, each sentence at most once in 2 s."""
        self.get_logger().warning(sentence, throttle_duration_sec=2.0)

    def close(self) -> None:
        """End threads and free devices."""


def json_to_msg(values: dict[str, Any]) -> String:
    """A small report as JSON; the topics that carry one say which keys it has."""
    return String(data=json.dumps(values))


def msg_to_json(msg: String) -> dict[str, Any]:
    """The report of a String. Raises ValueError if it is not a JSON object."""
    values = json.loads(msg.data)
    if not isinstance(values, dict):
        raise ValueError("a report must be a JSON object")
    return values


def run_node(make: Callable[[], WmNode[Any]], args: list[str] | None = None) -> int:
    """Make a node and spin it in one thread until SIGINT or SIGTERM. Returns the process's exit status.

    A WmError ends it with one sentence on standard error and status 2. Anything else is a bug and keeps its traceback.
    """
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    node: WmNode[Any] | None = None
    rclpy.init(args=args)
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except WmError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_CANNOT_RUN
    except Exception:
        if rclpy.ok():
            raise
        # A signal took the context away in the middle of a callback; that is a clean end.
    finally:
        # A second Ctrl-C must not interrupt the way out.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
