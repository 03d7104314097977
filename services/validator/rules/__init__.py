"""Rules: each one a small function in a registry. A new module is listed here and nowhere else."""

from __future__ import annotations

from services.validator.rules import (
    ac4,
    adm,
    dolby_metadata,
    eac3,
    identity,
    mp4,
    opinions,
    pcm,
    wave,
)

__all__ = [
    "ac4",
    "adm",
    "dolby_metadata",
    "eac3",
    "identity",
    "mp4",
    "opinions",
    "pcm",
    "wave",
]
