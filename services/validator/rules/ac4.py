"""AC-4 with Atmos: what its dac4 box must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.source import FormatError
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.ac4 import Dac4
    from services.validator.profile import Profile

_SPEC = "ETSI TS 103 190-2 Annex E"


@dataclass(frozen=True, slots=True)
class Ac4Track:
    """An AC-4 track by its dac4 box: None when it is missing."""

    dac4: Dac4 | FormatError | None


@rule(Ac4Track, "dac4_missing", spec=_SPEC)
def dac4_missing(track: Ac4Track, _: Profile) -> Iterator[Finding]:
    """An MP4 track of AC-4 is described by a dac4 box."""
    if track.dac4 is None:
        yield Finding(detail="The track has no dac4 box.", location="ac-4 sample entry")


@rule(Ac4Track, "dac4_malformed", spec=_SPEC)
def dac4_malformed(track: Ac4Track, _: Profile) -> Iterator[Finding]:
    """The dac4 box has all its fields."""
    if isinstance(track.dac4, FormatError):
        yield Finding(detail=f"{track.dac4.detail}.", location="dac4 box")
