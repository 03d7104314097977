"""What a child of the sandbox may use, and what its exit codes mean.

Apart from parent.py, so that the child need not load what only the parent needs.
"""

from __future__ import annotations

from typing import Final

import msgspec

OUT_OF_MEMORY: Final = 77
UNREADABLE: Final = 78
ORPHANED: Final = 79
UNCONFINED: Final = 80
NO_ROOM: Final = 81
MEANINGS: Final = {
    OUT_OF_MEMORY: "no more address space",
    UNREADABLE: "the file cannot be read",
    ORPHANED: "its parent had gone",
    UNCONFINED: "it cannot be confined",
    NO_ROOM: "no room for what it writes",
}


class ChildLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one child may use: bytes of addresses, memory and each written file, seconds, files.

    ``confined`` also takes the network, programs and processes away (confinement.py); switch it
    off only where the kernel has no seccomp. ``niceness`` lets the rest of the machine go first.
    """

    memory_bytes: int
    resident_bytes: int
    cpu_seconds: int
    wall_seconds: float
    file_bytes: int = 0
    open_files: int = 64
    niceness: int = 5
    confined: bool = True


class ChildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What every child is told on its standard input; ``parent`` is who must outlive it."""

    limits: ChildLimits
    parent: int
