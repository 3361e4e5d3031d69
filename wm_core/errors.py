"""Errors that a user sees as one sentence."""

from __future__ import annotations


class WmError(Exception):
    """Something the user can act on. The message is one sentence that says what to do.

    The command line prints it without a traceback and exits with 2; a node logs it and holds the arm.
    """


class ConfigError(WmError):
    """A configuration file or value is not usable."""


class BundleError(WmError):
    """A model bundle is missing, damaged, or not what it says it is."""


class GoalError(WmError):
    """The goal images are missing or cannot be read."""


def quoted(text: object, most: int = 80) -> str:
    """A name from outside, as a sentence may repeat it: escaped as by ``repr``, at most ``most`` characters."""
    # A name may be megabytes long: it is cut before anything is done with it.
    text = str(text)
    out = repr(text[:most])
    return out if len(text) <= most and len(out) <= most else f"{out[: most - 4]}...{out[0]}"


def shown(text: str, instead: str = "?") -> str:
    """Words from outside that are to stay readable, with ``instead`` for each character that cannot be shown.

    Such as an escape sequence or a line break, which would steer a terminal, or half a surrogate pair, which no
    terminal and no file takes.
    """
    return "".join(c if c.isprintable() else instead for c in text)


def one_line(error: object, length: int = 200) -> str:
    """An error's text for a sentence. What is too long loses its middle: libraries begin with where they failed and end
    with why.
    """
    text = " ".join(str(error).split())
    if len(text) <= length:
        return text
    head = length // 3
    return f"{text[:head]} ... {text[len(text) - (length - head - 5) :]}"


def interrupt_in(error: BaseException) -> KeyboardInterrupt | None:
    """The Ctrl-C (or the like) behind ``error``, if it came while a library was imported; None otherwise.

    A library whose import is interrupted may say that it cannot be imported (pybind11 does), which is not why.
    """
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        if isinstance(link, KeyboardInterrupt):
            return link if any(isinstance(above, ImportError) for above in links) else None
        links.append(link)
        link = link.__cause__ or link.__context__
    return None
