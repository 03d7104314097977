"""From a master's metadata to the tree and the paths that its report shows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from services.validator.report import Bed, BedChannel, DynamicObject, Point, Programme
from services.validator.rules.adm_parts import by_identifier, single
from services.validator.rules.registry import clean
from shared.adm.chna import Chna
from shared.adm.model import DIRECT_SPEAKERS, OBJECTS, Adm, channel_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from services.validator.formats.adm_bwf import AdmMaster
    from shared.adm.model import Element
    from shared.adm.trajectories import Trajectory

# A picture needs no more; all of them together stay below half of a packed report.
MAX_POINTS = 200
MAX_ALL_POINTS = 12_000
# As many tracks as a master has; a broken file may describe more.
MAX_PARTS = 128


def programme_of(master: AdmMaster, paths: Mapping[str, Trajectory]) -> Programme | None:
    """Return the first programme with all beds and objects, as far as they can be followed.

    ``paths`` are those of formats.trajectories. None when the XML cannot be read.
    """
    if not isinstance(master.adm, Adm):
        return None
    return _Reading(master, paths).programme(master.adm)


class _Reading:
    """The chain of references of one master: UID, track format, stream format, channel."""

    def __init__(self, master: AdmMaster, paths: Mapping[str, Trajectory]) -> None:
        self._paths = paths
        self._packs = by_identifier(master, "audioPackFormat")
        self._channels = by_identifier(master, "audioChannelFormat")
        self._streams = by_identifier(master, "audioStreamFormat")
        self._track_formats = by_identifier(master, "audioTrackFormat")
        entries = master.chna.entries if isinstance(master.chna, Chna) else ()
        self._entries = {each.uid.upper(): each for each in entries}

    def programme(self, adm: Adm) -> Programme:
        first = next(iter(adm.of("audioProgramme")), None)
        beds = self._of_type(adm, DIRECT_SPEAKERS)
        objects = self._of_type(adm, OBJECTS)
        points = min(MAX_POINTS, MAX_ALL_POINTS // max(len(objects), 1))
        return Programme(
            id=clean(first.identifier) if first else "",
            name=_name(first) if first else "",
            beds=tuple(self._bed(each) for each in beds),
            objects=tuple(self._object(each, points) for each in objects),
        )

    def _of_type(self, adm: Adm, wanted: str) -> list[Element]:
        objects = (each for each in adm.of("audioObject") if self._type(each) == wanted)
        return [each for each, _ in zip(objects, range(MAX_PARTS), strict=False)]

    def _type(self, element: Element) -> str:
        pack = self._packs.get(single(element, "audioPackFormat"))
        return channel_type(pack.identifier, pack.attributes) if pack else ""

    def _tracks(self, element: Element) -> Iterator[tuple[int, Element]]:
        """Yield the tracks that carry an audioObject, each with its channel."""
        for uid in element.refers_to("audioTrackUID")[:MAX_PARTS]:
            entry = self._entries.get(uid.upper())
            if entry is None:
                continue
            track_format = self._track_formats.get(entry.track_format.upper())
            stream = _follow(track_format, self._streams, "audioStreamFormat")
            channel = _follow(stream, self._channels, "audioChannelFormat")
            if channel is not None:
                yield entry.track, channel

    def _bed(self, element: Element) -> Bed:
        channels = tuple(_bed_channel(*each) for each in self._tracks(element))
        return Bed(id=clean(element.identifier), name=_name(element), channels=channels)

    def _object(self, element: Element, points: int) -> DynamicObject:
        track, channel = next(self._tracks(element), (0, None))
        path = self._paths.get(channel.identifier.upper()) if channel else None
        return DynamicObject(
            track=track,
            id=clean(element.identifier),
            name=_name(element),
            blocks=channel.blocks if channel else 0,
            path=thinned(path, points) if path else (),
        )


def _follow(element: Element | None, others: Mapping[str, Element], kind: str) -> Element | None:
    return others.get(single(element, kind)) if element else None


def _name(element: Element) -> str:
    return clean(element.attributes.get(f"{element.kind}Name", ""))


def _bed_channel(track: int, channel: Element) -> BedChannel:
    block = channel.first("audioBlockFormat")
    label = block.first("speakerLabel") if block else None
    return BedChannel(
        track=track,
        id=clean(channel.identifier),
        name=_name(channel),
        speaker=clean(label.text) if label else "",
    )


def thinned(path: Trajectory, points: int) -> tuple[Point, ...]:
    """Return at most ``points`` of a path: its ends, and between them what is far from the last.

    Blocks that stay in their place are left out. It takes time that grows with the blocks only.
    """
    places = list(zip(path.x, path.y, path.z, strict=True))
    moves = [0, *(index for index, (a, b) in enumerate(pairwise(places), 1) if a != b)]
    chosen = moves if len(moves) <= points else _far_apart(places, moves, points)
    return tuple(_point(path.start[index], places[index]) for index in chosen)


def _far_apart(
    places: Sequence[tuple[float, float, float]], moves: Sequence[int], points: int
) -> list[int]:
    """Choose the first, the last, and of equal shares between them the one farthest from before."""
    inner, shares = moves[1:-1], points - 2
    chosen = [moves[0]]
    for share in range(shares):
        part = inner[share * len(inner) // shares : (share + 1) * len(inner) // shares]
        x, y, z = places[chosen[-1]]
        chosen.append(
            max(
                part,
                key=lambda at: (
                    abs(places[at][0] - x) + abs(places[at][1] - y) + abs(places[at][2] - z)
                ),
            )
        )
    return [*chosen, moves[-1]]


def _point(seconds: float, place: tuple[float, float, float]) -> Point:
    """Round to what a picture shows, and keep a path that is wrong inside of it."""
    x, y, z = (round(min(max(each, -1.0), 1.0), 3) for each in place)
    return Point(round(seconds, 2), x, y, z)
