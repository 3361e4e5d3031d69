"""What Linux knows of our child processes: who runs, in which session, with how much memory."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_NODE = "__node:="
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def children(parent: int) -> list[int]:
    """Process ids of those that ``parent`` started and that still run."""
    return [pid for pid, state, of, _ in _table() if of == parent and state != "Z"]


def nodes(parent: int) -> dict[str, int]:
    """Process ids of the nodes that ``parent`` started, by the name that they were given."""
    found = {}
    for pid in children(parent):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.update({word.removeprefix(_NODE): pid for word in words if word.startswith(_NODE)})
    return found


def in_sessions(sessions: Collection[int]) -> list[int]:
    """Process ids that still run in one of these sessions. A child of ours leads a session of its own, so after its
    end whoever is still in there is an orphan."""
    return [pid for pid, state, _, session in _table() if session in sessions and state != "Z"]


def rss_mb(pid: int) -> float | None:
    """Resident memory in megabytes; None if the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_MB
    except (FileNotFoundError, ProcessLookupError):
        return None


def _table() -> list[tuple[int, str, int, int]]:
    """Id, state letter, parent and session of every process."""
    rows = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field is the command in brackets and may hold anything, brackets too.
            state, parent, _, session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        rows.append((int(stat.parent.name), state, int(parent), int(session)))
    return rows
