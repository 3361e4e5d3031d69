"""What to say of a name that nobody knows: which known one is nearest, and which there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from .errors import ConfigError, quoted

#: A name longer than this is none that anybody typed; the rest of it is not compared.
SHOWN = 80


def nearest(name: object, names: Iterable[str]) -> str:
    """The one of ``names`` that was probably meant, "" if none is near. Case, ``-`` and ``_`` make no difference."""
    plain = {_plain(known): known for known in names}
    typed = _plain(str(name)[:SHOWN])
    near = difflib.get_close_matches(typed, plain)
    near.sort(
        key=lambda known: sorted(known) != sorted(typed)
    )  # two letters that changed places are the likeliest slip
    return plain[near[0]] if near else ""


def meant(name: object, names: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the end of a sentence about ``name``, "" if none of ``names`` is near."""
    near = nearest(name, names)
    return f"; did you mean '{near}'?" if near else ""


def unknown(kind: str, name: object, names: Collection[str]) -> str:
    """The sentence that refuses ``name``: what it should be, what was probably meant, and all that there are.

    ``kind`` is what a name of this sort is called, such as "arm preset".
    """
    known, near = sorted(names), nearest(name, names)
    hint = f" (did you mean '{near}'?)" if near else ""
    return f"there is no {kind} {quoted(name)}{hint}; there are: {', '.join(known) if known else 'none'}"


def check_topic(key: str, topic: str) -> None:
    """Raises ConfigError, which begins with ``key``, unless ROS would take ``topic`` for the name of a topic."""
    if not _TOPIC.fullmatch(topic):
        raise ConfigError(f"{key} = {quoted(topic)} is no name of a ROS topic, such as arm/target_pose")


#: Letters, digits and _ between slashes, none of the parts beginning with a digit; ~ is the node's own name.
_TOPIC = re.compile(r"(~/|/)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
