"""Shards give back what was put in, name what is damaged, and are not mixed with others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from made_up import COUNT, SPEC, episode

from wm_core.errors import ConfigError, WmError
from wm_data.episode import Episode
from wm_data.formats import DataFormat, opened
from wm_data.formats.shards import EPISODES_PER_SHARD, META


@pytest.fixture
def filled(tmp_path: Path) -> DataFormat:
    data = opened(tmp_path / "data")
    parts = data.begin(SPEC)
    for part in reversed(parts):
        data.write(part, [episode(number) for number in part])
    return data


def test_what_was_written_is_read(filled: DataFormat) -> None:
    assert filled.spec() == SPEC
    found = list(filled.episodes())
    assert len(found) == COUNT
    for number, made in enumerate(found):
        for field in fields(Episode):
            np.testing.assert_array_equal(getattr(made, field.name), getattr(episode(number), field.name))


def test_what_is_missing_is_begun_again(filled: DataFormat) -> None:
    assert filled.begin(SPEC) == []
    (filled.folder / "shard_0001.npz").unlink()
    with pytest.raises(WmError, match=f"holds {EPISODES_PER_SHARD} of {COUNT} episodes; run 'a test' again"):
        list(filled.episodes())
    assert filled.begin(SPEC) == [range(EPISODES_PER_SHARD, COUNT)]


def test_other_data_are_not_mixed_in(filled: DataFormat) -> None:
    with pytest.raises(WmError, match="another configuration"):
        filled.begin(replace(SPEC, settings={"seed": 1}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:900]), r"shard_0000\.npz is damaged .*run 'a test' again"),
        (lambda path: np.savez(path, frames=np.zeros(3)), r"shard_0000\.npz is damaged .*stamps_s"),
    ],
)
def test_a_damaged_shard_is_named(filled: DataFormat, damage: Callable[[Path], None], says: str) -> None:
    damage(filled.folder / "shard_0000.npz")
    with pytest.raises(WmError, match=says):
        list(filled.episodes())


@pytest.mark.parametrize(("text", "says"), [("{", "cannot read"), ("[]", "must hold a mapping")])
def test_a_damaged_specification_is_named(filled: DataFormat, text: str, says: str) -> None:
    (filled.folder / META).write_text(text)
    with pytest.raises(WmError, match=says):
        filled.spec()


def test_data_of_before_the_schema_are_refused(tmp_path: Path) -> None:
    """They were the collector's configuration, and said nothing of frames or of the gripper."""
    (tmp_path / META).write_text(json.dumps({"episodes": 2400, "steps": 28, "seed": 0, "step_m": 0.05}))
    for use in (opened(tmp_path).spec, lambda: opened(tmp_path).begin(SPEC)):
        with pytest.raises(ConfigError, match=r"has no schema version: .*wm data generate"):
            use()


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no data format 'shard' .*did you mean 'shards'"):
        opened(tmp_path, "shard")
