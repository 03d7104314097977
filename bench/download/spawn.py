"""Runs a shell command and prints what it took: wall s, CPU s, peak KiB, as JSON.

``began`` is the moment of its start on the monotonic clock, which all processes share.

Kept as small as Python can be (``python -I -S``), because a process that is begun from a large one
counts the large one's memory as its own peak.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Run ``sh -c`` on the argument, its output sent to stderr, and end with its status."""
    began = time.monotonic()
    actions = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    command = ["sh", "-c", sys.argv[1]]
    child = os.posix_spawn("/bin/sh", command, os.environ, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic() - began
    cpu = used.ru_utime + used.ru_stime
    print(f'{{"began": {began}, "wall": {wall}, "cpu": {cpu}, "kib": {used.ru_maxrss}}}')  # noqa: T201 - its output
    sys.exit(os.waitstatus_to_exitcode(status))


main()
