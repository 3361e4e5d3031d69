from __future__ import annotations

import math

from wm_bringup import live_bench, timing


def test_the_ladder_for_people_has_every_stage_and_lines_up() -> None:
    figures = {f"frame_to_{s}_{p}_ms": 12.345 for s in timing.STAGES for p in ("p50", "p99", "max")}
    lines = live_bench.table(figures | {"frame_to_publish_p50_ms": math.nan})
    assert len(lines) == 1 + len(timing.STAGES) and len({len(line) for line in lines}) == 1
    assert lines[1].split()[-3:] == ["nan", "12.3", "12.3"]
