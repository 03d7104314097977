"""Findings as data: what every stage reports and every door shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a finding is: only an error refuses the master."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding about a master.

    ``code`` is stable; ``detail`` is one sentence for people; ``location`` is an element id, a byte
    offset, a frame or a sample; ``spec`` is the clause; ``measured`` and ``allowed`` are the value
    that was found and the one that would be right.
    """

    code: str
    severity: Severity
    detail: str
    location: str = ""
    spec: str = ""
    measured: str = ""
    allowed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What the validator saw in a file: hertz, bits, counts of channels, seconds; 0 is unknown."""

    container: str = ""
    codec: str = ""
    sample_rate_hertz: int = 0
    bit_depth: int = 0
    channels: int = 0
    bed_channels: int = 0
    objects: int = 0
    duration_seconds: float = 0.0
