"""Become another program that dies with its parent: ``tether.py PARENT_PID PROGRAM [ARGUMENT…]``.

A supervisor that is killed cannot stop its children. On Linux the kernel does it, but only for a
process that asks for itself, so the child starts here, asks, and then becomes the program.
Run with ``python -I -S``: it needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then replace it by the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A parent that died before the request was made will never be noticed.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
