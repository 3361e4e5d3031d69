from __future__ import annotations

import pytest

from wm_core.errors import ConfigError, WmError, interrupt_in, quoted, shown


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


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("the goal is at 30 °, ±1", "the goal is at 30 °, ±1"),
        ("\x1b[2J", "?[2J"),
        ("\x9b2J", "?2J"),
        ("one\r\ntwo\u2028three", "one??two?three"),
        ("\udcff\ud800", "??"),
        ("left \u202e right", "left ? right"),
    ],
)
def test_what_cannot_be_shown_is_not(text: str, is_: str) -> None:
    assert shown(text) == is_ and is_.isprintable()
    assert shown(text, "") == is_.replace("?", "")


def chained(*kinds: type[BaseException], suppress: bool = False) -> BaseException:
    """The last of ``kinds``, each raised while the one before it was handled."""
    try:
        try:
            raise chained(*kinds[:-1], suppress=suppress) if len(kinds) > 1 else kinds[-1]()
        except BaseException:
            if len(kinds) == 1:
                raise
            if suppress:
                raise kinds[-1]() from None
            raise kinds[-1]()  # noqa: B904
    except BaseException as error:
        return error


@pytest.mark.parametrize("suppress", [False, True])
def test_an_interrupt_that_an_import_made_something_else_of_is_found(suppress: bool) -> None:
    for kinds in (
        (KeyboardInterrupt, ImportError),
        (KeyboardInterrupt, ImportError, WmError),
        (KeyboardInterrupt, ModuleNotFoundError, ImportError, ConfigError),
        (KeyboardInterrupt, OSError, ImportError, WmError),
    ):
        assert isinstance(interrupt_in(chained(*kinds, suppress=suppress)), KeyboardInterrupt)
    for kinds in (
        (ImportError, WmError),
        (KeyboardInterrupt, OSError, WmError),  # what cannot be written on the way out is said
        (WmError,),
        (ImportError, KeyboardInterrupt, WmError),
    ):
        assert interrupt_in(chained(*kinds, suppress=suppress)) is None
