"""What a child of the validator's is asked, and what it may use.

Apart from sandbox.py, so that the child need not load what only the parent needs.
"""

from __future__ import annotations

from services.validator.profile import Profile
from shared.sandbox.limits import ChildLimits, ChildRequest


class Limits(ChildLimits, frozen=True, kw_only=True):
    """What one inspection may use.

    Measured with numpy, FFmpeg and MediaInfo loaded: 281 MiB of addresses and 92 MiB of memory for
    118 objects with their samples, 218 MiB and 121 MiB for an axml of 97 MB. The rest is room for
    what is worse.
    """

    memory_bytes: int = 768 << 20
    resident_bytes: int = 512 << 20
    cpu_seconds: int = 900
    wall_seconds: float = 1800.0


class Request(ChildRequest, frozen=True, kw_only=True):
    """What the child is asked on its standard input."""

    path: str
    profile: Profile
    master_type: str = "dolby_atmos"
    md5: str | None = None
    stereo_seconds: float | None = None
