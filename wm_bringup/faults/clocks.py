"""Faults of the clock: the machine's is set while the graph runs, and a simulated one stops or jumps."""

from __future__ import annotations

import dataclasses
import mmap
import os
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wm_bringup.graph import Graph, NodeSpec

from . import clock_node
from .inject import Injection, NotHere, Site

#: Between a process and the C library: the wall clock is that of the machine and what a shared file says besides. The
#: steady clock is left alone, as it is when somebody sets the time.
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *offset_ns;
static int (*real_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("WM_CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) offset_ns = page;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    if (!real_clock) real_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_clock(id, out);
    if (failed || !offset_ns || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
    long long ns = out->tv_sec * 1000000000LL + out->tv_nsec + *offset_ns;
    out->tv_sec = ns / 1000000000LL;
    out->tv_nsec = ns % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""
OFFSET = "clock_offset"


@dataclass(frozen=True)
class SetClock(Injection):
    """The machine's clock is set by ``seconds``, for all nodes of the graph; not for this program, which measures."""

    seconds: float
    false_stamps: ClassVar[bool] = True

    def environment(self, folder: Path) -> dict[str, str]:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise NotHere("needs gcc")
        source, library, offset = folder / "clock.c", folder / "clock.so", folder / OFFSET
        source.write_text(_SHIM, encoding="ascii")
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise NotHere(f"needs a gcc that works; it said: {made.stderr.strip()[:200]}")
        offset.write_bytes(struct.pack("q", 0))
        preloaded = [str(library), *filter(None, [os.environ.get("LD_PRELOAD")])]
        return {"LD_PRELOAD": ":".join(preloaded), "WM_CLOCK_OFFSET": str(offset)}

    def begin(self, site: Site) -> float:
        now_s = time.time()
        self._set(site, self.seconds)
        return now_s

    def end(self, site: Site) -> float:
        now_s = time.time()
        self._set(site, 0.0)
        return now_s

    def _set(self, site: Site, seconds: float) -> None:
        with open(site.folder / OFFSET, "r+b") as file, mmap.mmap(file.fileno(), 8) as page:
            page[:] = struct.pack("q", round(1e9 * seconds))
            page.flush()


@dataclass(frozen=True)
class SimulatedClock(Injection):
    """All nodes live by ``/clock``, which does what ``fault`` says; see :mod:`wm_bringup.faults.clock_node`."""

    fault: str
    false_stamps: ClassVar[bool] = True

    def prepare(self, graph: Graph) -> Graph:
        nodes = (
            dataclasses.replace(spec, parameters={**spec.parameters, "use_sim_time": True}) for spec in graph.nodes
        )
        clock = NodeSpec("clock", clock_node.__name__, {"fault": self.fault})
        return dataclasses.replace(graph, nodes=(clock, *nodes))

    def begin(self, site: Site) -> float:
        return float(site.call("fault/inject"))

    def end(self, site: Site) -> float:
        return float(site.call("fault/heal"))
