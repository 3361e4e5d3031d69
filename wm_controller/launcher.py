"""Who started the controller, and whether they still look after it. Plain Python, Linux only.

A node outlives ``ros2 launch`` that was killed, and goes on while a person has suspended it with Ctrl-Z. So the
controller watches the process itself: an arm that moves for nobody is to stop.
"""

from __future__ import annotations

import os
from pathlib import Path

from .supervisor import START_ANEW

#: ``wm`` publishes its heartbeat at 5 Hz; five that are missing are no accident.
HEARTBEAT_S = 1.0
#: States of proc(5): stopped by a signal or a debugger; dead, or ended and not yet waited for.
_STOPPED, _GONE = ("T", "t"), ("Z", "X", "x")


class Launcher:
    """Watches one process.

    Args:
        pid: process id; 0 for the parent of this process. Process 1 always looks after what nobody else does.
        proc: where the kernel tells of processes.
    """

    def __init__(self, pid: int = 0, proc: Path = Path("/proc")) -> None:
        self.pid = pid if pid else os.getppid()
        self._stat = proc / str(self.pid) / "stat"
        self._proc = proc
        self._since = self._read()[1]  # another process that gets the same id later is another one

    def blind(self) -> str:
        """What cannot be seen of the process, as a sentence; "" if all can."""
        if self.pid <= 1 or self._read()[0] != "?":
            return ""
        return (
            f"process {self.pid}, which started the stack, is not in {self._proc}: if it is suspended, nobody will "
            "notice; mount /proc without hidepid, or do not suspend it"
        )

    def trouble(self) -> str:
        """Why nobody looks after the arm, as a sentence; "" if somebody does."""
        if self.pid <= 1:  # 0: the parent is outside of this container
            return ""
        state, since = self._read()
        if state == "?":
            return ""
        if not state or state in _GONE or since != self._since:
            return f"process {self.pid}, which started the stack, is gone; {START_ANEW}"
        if state in _STOPPED:
            return f"process {self.pid}, which started the stack, is suspended; let it go on (fg), then call resume"
        return ""

    def _read(self) -> tuple[str, str]:
        """State and start time of the process; "" if there is none, "?" if we may not see it."""
        try:
            # The name in brackets may hold anything, brackets as well.
            fields = self._stat.read_text(errors="replace").rpartition(")")[2].split()
            return fields[0], fields[19]
        except (OSError, IndexError):
            return ("?" if self._hidden() else ""), ""

    def _hidden(self) -> bool:
        """Whether it lives all the same (another user's, where /proc is mounted with hidepid)."""
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):  # no process id is so large
            return False
        return not (self._proc / "self").exists()
