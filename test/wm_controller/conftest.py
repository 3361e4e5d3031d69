from collections.abc import Iterator

import pytest
import rclpy
from hypothesis import settings

# A loaded machine is no failure; and the same examples each time, so that a red test stays red.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture
def context() -> Iterator[None]:
    """The test calls rclpy.init, with arguments of its own."""
    yield
    rclpy.try_shutdown()
