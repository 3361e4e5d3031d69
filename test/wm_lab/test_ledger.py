"""A ledger loses no whole line and keeps no half one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wm_core.errors import WmError
from wm_lab.ledger import Ledger


def test_lines_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lines.jsonl"
    with Ledger(path) as ledger:
        assert ledger.lines == []
        ledger.add({"a": 1, "b": [0.1, None]})
    with Ledger(path) as ledger:
        ledger.add({"a": 2, "b": float("nan")})
    assert path.read_text() == '{"a": 1, "b": [0.1, null]}\n{"a": 2, "b": null}\n'
    with Ledger(path) as ledger:
        assert ledger.lines == [{"a": 1, "b": [0.1, None]}, {"a": 2, "b": None}]


@pytest.mark.parametrize("half", ['{"a": 2, "b', '{"a": 2}', "\0\0"])
def test_half_a_line_is_dropped(tmp_path: Path, half: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 1}\n' + half)
    with Ledger(path) as ledger:
        assert ledger.lines == [{"a": 1}]
        ledger.add({"a": 3})
    assert path.read_text() == '{"a": 1}\n{"a": 3}\n'


@pytest.mark.parametrize("text", ["{\n", "[1]\n", "\n", '{"a": 1}\n\0\n{}\n'])
def test_a_damaged_line_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": 0}\n' + text)
    with pytest.raises(WmError, match=rf"line [23] of {path} is damaged; remove it"):
        Ledger(path)
    assert path.read_text() == '{"a": 0}\n' + text


def test_two_runs_do_not_share_one(tmp_path: Path) -> None:
    with Ledger(tmp_path / "lines.jsonl"), pytest.raises(WmError, match="another run is writing"):
        Ledger(tmp_path / "lines.jsonl")
    with Ledger(tmp_path / "lines.jsonl"):
        pass


def test_a_place_that_takes_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WmError, match="cannot write"):
        Ledger(tmp_path / "file" / "lines.jsonl")
