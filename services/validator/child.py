"""The child process of the sandbox: limits itself, inspects one file, answers, ends."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from services.validator.inspection import inspect
from services.validator.sandbox import Limits, Request

_PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 77
UNREADABLE = 78
ORPHANED = 79


def main() -> int:
    """Answer the request on standard input with a report on standard output."""
    answer = os.dup(1)
    # Whatever a library prints must not mix with the answer.
    os.dup2(2, 1)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    if not tie_to_parent(request.parent):
        return ORPHANED
    apply_limits(request.limits)
    try:
        report = inspect(Path(request.path), request.profile, md5=request.md5)
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        sys.stderr.write(f"cannot read the file: {error}\n")
        return UNREADABLE
    with os.fdopen(answer, "wb") as pipe:
        pipe.write(report.to_json())
    return 0


def tie_to_parent(parent: int) -> bool:
    """Ask the kernel to kill this process with its parent; False when that has gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    return os.getppid() == parent


def apply_limits(limits: Limits) -> None:
    """Bound what this process may use; none of it can be raised again."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    sys.exit(main())
