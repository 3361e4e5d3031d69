from __future__ import annotations

import pytest

from wm_core.errors import quoted


@pytest.mark.parametrize(
    ("text", "is_"),
    [("world", "'world'"), ("", "''"), ("it's", '"it\'s"'), ("a\nb\x1b[31m", "'a\\nb\\x1b[31m'"), (7, "'7'")],
)
def test_names_from_outside_are_escaped(text: object, is_: str) -> None:
    assert quoted(text) == is_


@pytest.mark.parametrize("text", ["x" * 81, "x" * 10_000_000, "\n" * 79, "é" * 1000, "x" * 79, "\udcff" * 200])
def test_and_cut(text: str) -> None:
    out = quoted(text)
    assert len(out) <= 80 and out[0] == out[-1] == "'" and out.isprintable()
    assert len(quoted(text, most=20)) <= 20
