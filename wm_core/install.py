"""How to install what is not there, as a sentence may say it."""

from __future__ import annotations


def extra(name: str) -> str:
    """The command that installs one of setup.py's extras where ``./wm`` runs.

    The bare word ``pip`` is the system's for someone who only ever called ``./wm``: it refuses, or installs elsewhere.
    """
    return f".venv/bin/pip install -e '.[{name}]' (in the clone)"
