"""The families of files that are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The families of files; only the first four can be judged as Atmos."""

    WAVE = "wave"
    EAC3 = "eac3"
    AC4 = "ac4"
    TRUEHD = "truehd"
    OTHER_AUDIO = "other_audio"
    OTHER_IMMERSIVE = "other_immersive"
    ENCRYPTED = "encrypted"
    HTML = "html"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "unknown"


MP4, MPEG_TS = "MP4", "MPEG-TS"
# The coded streams that can carry Atmos.
CODED = frozenset({Kind.EAC3, Kind.AC4, Kind.TRUEHD})


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is: its family, container and codec in words for people, and advice.

    ``advice`` is one sentence on what to deliver instead; empty when the kind says enough.
    """

    kind: Kind
    container: str = ""
    codec: str = ""
    advice: str = ""

    @property
    def description(self) -> str:
        """Name the file in a few words."""
        if self.codec and self.container:
            return f"{self.codec} in {self.container}"
        return self.codec or self.container or self.kind.value
