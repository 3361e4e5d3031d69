"""What to say of a name that nobody knows: which known one is nearest, and which there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: A name longer than this says nothing more to a person; it is cut in a sentence.
SHOWN = 80


def nearest(name: object, names: Iterable[str]) -> str:
    """The one of ``names`` that was probably meant, "" if none is near. Case, ``-`` and ``_`` make no difference."""
    plain = {_plain(known): known for known in names}
    near = difflib.get_close_matches(_plain(str(name)[:SHOWN]), plain, n=1)
    return plain[near[0]] if near else ""


def meant(name: object, names: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the end of a sentence about ``name``, "" if none of ``names`` is near."""
    near = nearest(name, names)
    return f"; did you mean '{near}'?" if near else ""


def unknown(kind: str, name: object, names: Iterable[str]) -> str:
    """The sentence that refuses ``name``: what it should be, what was probably meant, and all that there are.

    ``kind`` is what a name of this sort is called, such as "arm preset".
    """
    known = sorted(names)
    text = str(name)
    shown = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    near = nearest(text, known)
    hint = f" (did you mean '{near}'?)" if near else ""
    return f"there is no {kind} {shown!r}{hint}; there are: {', '.join(known) if known else 'none'}"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
