"""What a child of the sandbox is asked, what it may use, and what its exit codes mean.

Apart from sandbox.py, so that the child need not load what only the parent needs.
"""

from __future__ import annotations

from typing import Final

import msgspec

from services.validator.profile import Profile

OUT_OF_MEMORY: Final = 77
UNREADABLE: Final = 78
ORPHANED: Final = 79
UNCONFINED: Final = 80
MEANINGS: Final = {
    OUT_OF_MEMORY: "no more address space",
    UNREADABLE: "the file cannot be read",
    ORPHANED: "its parent had gone",
    UNCONFINED: "it cannot be confined",
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one inspection may use: bytes of addresses, memory and written files, seconds, files.

    Measured with numpy, FFmpeg and MediaInfo loaded: 281 MiB of addresses and 92 MiB of memory for
    118 objects with their samples, 218 MiB and 121 MiB for an axml of 97 MB. The rest is room for
    what is worse.
    ``confined`` also takes the network, programs and processes away (confinement.py); switch it
    off only where the kernel has no seccomp. ``niceness`` lets the rest of the machine go first.
    """

    memory_bytes: int = 768 << 20
    resident_bytes: int = 512 << 20
    cpu_seconds: int = 900
    wall_seconds: float = 1800.0
    file_bytes: int = 0
    open_files: int = 64
    niceness: int = 5
    confined: bool = True


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is asked on its standard input; ``parent`` is who must outlive it."""

    path: str
    profile: Profile
    limits: Limits
    parent: int
    master_type: str = "dolby_atmos"
    md5: str | None = None
    stereo_seconds: float | None = None
