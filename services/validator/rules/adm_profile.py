"""What each ADM element must and may hold, as data (Dolby Atmos Master ADM Profile v1.0)."""

from __future__ import annotations

from dataclasses import dataclass, field

_TYPE = frozenset({"typeLabel", "typeDefinition"})
_FORMAT = frozenset({"formatLabel", "formatDefinition"})
_MANY = 1 << 30
_ONE = (1, 1)
_AT_MOST_ONE = (0, 1)
_SOME = (1, _MANY)
# A pack holds at most the ten channels of a 7.1.2 bed.
_UP_TO_TEN = (1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The attributes and the fewest and most children of one kind of element.

    ``tolerated`` are attributes that the profile forbids, but that tools of its first years wrote
    and that it names as a known issue.
    """

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    tolerated: frozenset[str] = frozenset()
    children: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def attributes(self) -> frozenset[str]:
        """All attributes that may be there."""
        return self.required | self.optional | self.tolerated


CONTENTS = {
    "audioProgramme": Content(
        required=frozenset({"audioProgrammeID", "audioProgrammeName", "start", "end"}),
        optional=frozenset({"audioProgrammeLanguage"}),
        tolerated=_TYPE,
        children={
            "audioContentIDRef": _SOME,
            "loudnessMetadata": _AT_MOST_ONE,
            "audioProgrammeReferenceScreen": _AT_MOST_ONE,
        },
    ),
    "audioContent": Content(
        required=frozenset({"audioContentID", "audioContentName"}),
        tolerated=_TYPE,
        children={"audioObjectIDRef": _SOME, "dialogue": _ONE},
    ),
    "audioObject": Content(
        required=frozenset({"audioObjectID", "audioObjectName", "start", "duration"}),
        optional=frozenset({"interact", "disableDucking"}),
        tolerated=_TYPE | {"startTime"},
        children={"audioPackFormatIDRef": _ONE, "audioTrackUIDRef": _UP_TO_TEN},
    ),
    "audioPackFormat": Content(
        required=frozenset({"audioPackFormatID", "audioPackFormatName"}) | _TYPE,
        optional=frozenset({"importance"}),
        children={"audioChannelFormatIDRef": _UP_TO_TEN},
    ),
    "audioChannelFormat": Content(
        required=frozenset({"audioChannelFormatID", "audioChannelFormatName"}) | _TYPE,
        # A frequency is a warning of its own.
        children={"audioBlockFormat": _SOME, "frequency": (0, _MANY)},
    ),
    "audioStreamFormat": Content(
        required=frozenset({"audioStreamFormatID", "audioStreamFormatName"}) | _FORMAT,
        tolerated=_TYPE,
        children={
            "audioChannelFormatIDRef": _ONE,
            "audioPackFormatIDRef": _ONE,
            "audioTrackFormatIDRef": _ONE,
        },
    ),
    "audioTrackFormat": Content(
        required=frozenset({"audioTrackFormatID", "audioTrackFormatName"}) | _FORMAT,
        tolerated=_TYPE,
        children={"audioStreamFormatIDRef": _ONE},
    ),
    "audioTrackUID": Content(
        required=frozenset({"UID", "sampleRate", "bitDepth"}),
        tolerated=_TYPE,
        children={"audioTrackFormatIDRef": _ONE, "audioPackFormatIDRef": _ONE},
    ),
}
# The attribute that replaces one that is missing: what BS.2076-0's first schema called it.
LEGACY_NAMES = {"start": "startTime"}
# One of each for every track of the file.
PER_TRACK = ("audioChannelFormat", "audioStreamFormat", "audioTrackFormat", "audioTrackUID")
MOST_ELEMENTS = {
    **dict.fromkeys(("audioContent", "audioObject", "audioPackFormat"), 123),
    **dict.fromkeys(PER_TRACK, 128),
}
MOST_OBJECTS = 118
