"""The child process of the sandbox: limits itself, inspects one file, answers, ends."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from services.validator.confinement import ConfinementUnavailable, confine
from services.validator.inspection import inspect
from services.validator.limits import (
    ORPHANED,
    OUT_OF_MEMORY,
    UNCONFINED,
    UNREADABLE,
    Limits,
    Request,
)

if TYPE_CHECKING:
    from services.validator.report import Report

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Answer the request on standard input with lines on standard output, each a report.

    The last one counts. The first is our own word, in case that another tool ends the process.
    """
    answer = os.dup(1)
    # Whatever a library prints must not mix with the answer.
    os.dup2(2, 1)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    if not tie_to_parent(request.parent):
        return ORPHANED
    try:
        apply_limits(request.limits)
        _inspect(request, answer)
    except ConfinementUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return UNCONFINED
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        sys.stderr.write(f"cannot read the file: {error}\n")
        return UNREADABLE
    return 0


def _inspect(request: Request, answer: int) -> None:
    def tell(report: Report) -> None:
        with os.fdopen(answer, "wb", closefd=False) as pipe:
            pipe.write(report.to_json() + b"\n")

    report = inspect(
        Path(request.path),
        request.profile,
        master_type=request.master_type,
        md5=request.md5,
        stereo_seconds=request.stereo_seconds,
        on_report=tell,
    )
    tell(report)


def tie_to_parent(parent: int) -> bool:
    """Ask the kernel to kill this process with its parent; False when that has gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    return os.getppid() == parent


def apply_limits(limits: Limits) -> None:
    """Bound what this process may use; none of it can be raised again.

    Raises ConfinementUnavailable when it should be confined and cannot be.
    """
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    os.nice(limits.niceness)
    if limits.confined:
        confine()


if __name__ == "__main__":
    sys.exit(main())
