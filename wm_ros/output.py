"""Standard output and error that nobody has to read: a node must not wait for a terminal while an arm moves."""

from __future__ import annotations

import contextlib
import os
import stat


def never_wait_for_a_reader(*descriptors: int) -> None:
    """What a reader does not take is lost, from now on; without this the node waits for the reader, for ever.

    A pipe that is full, or a terminal that is paused (Ctrl-S, ``| less``), otherwise stops the thread that logs, and
    with it the ticks and the answer to ``stop``.

    Args:
        descriptors: file descriptors; none given: standard output and error. One that is closed is left alone.
    """
    for descriptor in descriptors or (1, 2):
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a file takes everything
                _never_wait(descriptor)


def _never_wait(descriptor: int) -> None:
    """Not waiting belongs to what the descriptor refers to, which others share, such as the shell: open it anew."""
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # a socket, another user's terminal, no /proc: then the others do not wait either
        os.set_blocking(descriptor, False)
        return
    os.dup2(own, descriptor)  # which leaves it for children to inherit, as it was
    os.close(own)
