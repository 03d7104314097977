"""The child's side of the sandbox: limits itself, does one piece of work, answers, ends."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, TypeVar

import msgspec

from shared.sandbox.confinement import ConfinementUnavailable, confine
from shared.sandbox.limits import (
    NO_ROOM,
    ORPHANED,
    OUT_OF_MEMORY,
    UNCONFINED,
    UNREADABLE,
    ChildLimits,
    ChildRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Asked = TypeVar("Asked", bound=ChildRequest)


def run_child(kind: type[Asked], work: Callable[[Asked, Callable[[bytes], None]], None]) -> int:
    """Answer the request on standard input with lines on standard output; return the exit code.

    ``work`` gets the request and what writes one line. It limits itself by ``apply_limits`` before
    it reads anything that others wrote.
    """
    answer = os.dup(1)
    # Whatever a library prints must not mix with the answer.
    os.dup2(2, 1)

    def tell(line: bytes) -> None:
        with os.fdopen(answer, "wb", closefd=False) as pipe:
            pipe.write(line + b"\n")

    request = msgspec.json.decode(sys.stdin.buffer.read(), type=kind)
    if not tie_to_parent(request.parent):
        return ORPHANED
    try:
        work(request, tell)
    except ConfinementUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return UNCONFINED
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        sys.stderr.write(f"cannot use the file: {error}\n")
        return NO_ROOM if error.errno in _NO_ROOM else UNREADABLE
    return 0


def tie_to_parent(parent: int) -> bool:
    """Ask the kernel to kill this process with its parent; False when that has gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    return os.getppid() == parent


def apply_limits(limits: ChildLimits) -> None:
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
