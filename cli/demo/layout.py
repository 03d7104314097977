"""The tracks of a generated Dolby Atmos master: its beds, then its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Position = tuple[float, float, float]

# Name and position of a bed's channels, by label (Dolby Atmos Master ADM Profile v1.0).
_SPEAKERS: dict[str, tuple[str, Position]] = {
    "RC_L": ("RoomCentricLeft", (-1, 1, 0)),
    "RC_R": ("RoomCentricRight", (1, 1, 0)),
    "RC_C": ("RoomCentricCenter", (0, 1, 0)),
    "RC_LFE": ("RoomCentricLFE", (-1, 1, -1)),
    "RC_Ls": ("RoomCentricLeftSurround", (-1, -0.36397, 0)),
    "RC_Rs": ("RoomCentricRightSurround", (1, -0.36397, 0)),
    "RC_Lss": ("RoomCentricLeftSideSurround", (-1, 0, 0)),
    "RC_Rss": ("RoomCentricRightSideSurround", (1, 0, 0)),
    "RC_Lrs": ("RoomCentricLeftRearSurround", (-1, -1, 0)),
    "RC_Rrs": ("RoomCentricRightRearSurround", (1, -1, 0)),
    "RC_Lts": ("RoomCentricLeftTopSurround", (-1, 0, 1)),
    "RC_Rts": ("RoomCentricRightTopSurround", (1, 0, 1)),
}
# The sets that a bed may have, and the order of their channels.
BEDS = {
    name: tuple(f"RC_{label}" for label in labels.split())
    for name, labels in {
        "2.0": "L R",
        "3.0": "L R C",
        "5.0": "L R C Ls Rs",
        "5.1": "L R C LFE Ls Rs",
        "7.0": "L R C Lss Rss Lrs Rrs",
        "7.1": "L R C LFE Lss Rss Lrs Rrs",
        "7.0.2": "L R C Lss Rss Lrs Rrs Lts Rts",
        "7.1.2": "L R C LFE Lss Rss Lrs Rrs Lts Rts",
    }.items()
}
_FIRST = 0x1001
# The renderer's first ten inputs are kept for a bed.
_FIRST_OBJECT = 0x100B


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One track of the master; ``number`` is the hexadecimal tail of its AC, AS, AT identifiers.

    ``pack`` and ``object`` are the identifiers of what it belongs to, ``group`` is their name;
    ``label`` is a bed channel's speaker, else empty.
    """

    track: int
    name: str
    number: str
    group: str
    pack: str
    object: str
    label: str = ""
    position: Position = (0, 0, 0)

    @property
    def uid(self) -> str:
        """The audioTrackUID."""
        return f"ATU_{self.track:08x}"

    @property
    def type_attributes(self) -> str:
        """What kind of channel it is, as XML attributes."""
        kind, label = ("DirectSpeakers", "0001") if self.label else ("Objects", "0003")
        return f'typeDefinition="{kind}" typeLabel="{label}"'


def channels(objects: int, beds: tuple[str, ...]) -> list[Channel]:
    """Return the tracks in their order: the beds, named as in BEDS, then the objects."""
    tracks = list(_bed_channels(beds))
    used = len(tracks)
    first = max(_FIRST + used, _FIRST_OBJECT)
    return tracks + [
        Channel(
            track=used + index + 1,
            name=f"Atmos_Obj_{index + 1}",
            number=f"0003{_FIRST + index:04x}",
            group=f"Atmos_Obj_{index + 1}",
            pack=f"AP_0003{_FIRST + index:04x}",
            object=f"AO_{first + index:04x}",
        )
        for index in range(objects)
    ]


def _bed_channels(beds: tuple[str, ...]) -> Iterator[Channel]:
    used = 0
    for index, bed in enumerate(beds):
        first = used
        for label in BEDS[bed]:
            name, position = _SPEAKERS[label]
            yield Channel(
                track=used + 1,
                name=name,
                number=f"0001{_FIRST + used:04x}",
                group=f"AtmosCustomPackFormat{index + 1}",
                pack=f"AP_0001{_FIRST + index:04x}",
                object=f"AO_{_FIRST + first:04x}",
                label=label,
                position=position,
            )
            used += 1
