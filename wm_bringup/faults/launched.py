"""Faults of what started the graph: it is killed, suspended, its terminal is closed, its disk is full."""

from __future__ import annotations

import os
import resource
import signal
import time
from dataclasses import dataclass
from typing import ClassVar

from .inject import Injection, Site


@dataclass(frozen=True)
class LauncherSignal(Injection):
    """A signal to a launcher that does nothing for its nodes when it is gone, as ``ros2 launch`` does not."""

    number: signal.Signals
    under: ClassVar[str] = "launch"

    def begin(self, site: Site) -> float:
        now_s = time.time()
        os.kill(site.launcher, self.number)
        return now_s

    def end(self, site: Site) -> float:
        if self.number == signal.SIGSTOP:
            os.kill(site.launcher, signal.SIGCONT)
        return super().end(site)


@dataclass(frozen=True)
class WmSignal(LauncherSignal):
    """A signal to ``wm``."""

    under: ClassVar[str] = "wm"


@dataclass(frozen=True)
class Key(Injection):
    """A key on the terminal of ``wm``; ``b""``: its window is closed."""

    key: bytes
    under: ClassVar[str] = "wm"

    def begin(self, site: Site) -> float:
        assert site.keyboard is not None  # as "under" says
        now_s = time.time()
        if self.key:
            site.keyboard.press(self.key)
        else:
            site.keyboard.close()
        return now_s

    def end(self, site: Site) -> float:
        if self.key == CTRL_Z:
            os.kill(site.launcher, signal.SIGCONT)
        if self.key == CTRL_S and site.keyboard is not None:
            site.keyboard.press(CTRL_Q)
        return super().end(site)


@dataclass(frozen=True)
class DiskFull(Injection):
    """No file of ``wm`` may grow beyond 4 kB from now on: to whoever writes, that is a full disk."""

    under: ClassVar[str] = "wm"

    def begin(self, site: Site) -> float:
        now_s = time.time()
        _, hard = resource.prlimit(site.launcher, resource.RLIMIT_FSIZE)
        resource.prlimit(site.launcher, resource.RLIMIT_FSIZE, (4096, hard))
        return now_s


CTRL_C, CTRL_Q, CTRL_S, CTRL_Z, CLOSED = b"\x03", b"\x11", b"\x13", b"\x1a", b""
