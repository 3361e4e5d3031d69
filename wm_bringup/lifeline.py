"""Runs a command that the kernel signals as soon as its parent is gone, even if that was killed by SIGKILL.

    python -I -S lifeline.py PARENT_PID SIGNAL COMMAND [ARGUMENT...]

SIGNAL, a number, is SIGKILL for most; who commands an arm gets SIGTERM, so that it can bring it to rest.

SIGINT waits until the command asks for it (wm_ros/run.py and cli.py do): Ctrl-C while it still imports its packages is
to end it quietly, and not somewhere within them.

A program of its own, because the request must be made in the child, and code between fork and exec is not safe in a
process with threads. It replaces itself by the command, which keeps the request (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the command inherits it
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        sys.exit("lifeline: prctl failed; this needs Linux")
    if os.getppid() != parent:
        sys.exit("lifeline: the parent is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
