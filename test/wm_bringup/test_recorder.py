"""What is read of the messages that are kept as bytes."""

from __future__ import annotations

import numpy as np
from rclpy.serialization import serialize_message

from wm_bringup.recorder import Record, Rows, _on_picture
from wm_ros import convert


def test_a_picture_is_read_no_further_than_to_its_stamp() -> None:
    picture = convert.image_to_msg(np.zeros((4, 4, 3), dtype=np.uint8), convert.s_to_stamp(1234.5), "camera")
    rows = Rows(2)
    _on_picture(rows, serialize_message(picture), {"source_timestamp": 1_234_750_000_000})
    assert rows.table.tolist() == [[1234.5, 1234.75]]


def test_a_walk_has_each_target_with_its_tick() -> None:
    record = Record()
    record.targets.add(1.0, *[0.0] * 6)
    record.sent.add(1.002)
    record.taken.add(0.9, 1.0)
    assert record.walk.commands.tolist() == [[1.0, 1.002]] and record.walk.taken.tolist() == [[0.9, 1.0]]
