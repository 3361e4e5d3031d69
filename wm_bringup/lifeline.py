"""Runs a command that the kernel kills as soon as its parent is gone, even if that was killed by SIGKILL.

    python -I -S lifeline.py PARENT_PID COMMAND [ARGUMENT...]

A program of its own, because the request must be made in the child, and code between fork and exec is not safe in a
process with threads. It replaces itself by the command, which keeps the request (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("lifeline: prctl failed; this needs Linux")
    if os.getppid() != parent:
        sys.exit("lifeline: the parent is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
