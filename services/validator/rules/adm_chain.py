"""From a track to its object: all ways through the references lead to the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_graph import whole_graph
from services.validator.rules.adm_parts import PROFILE, number_of
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

_FORMATS = (
    ("audioStreamFormat", "audioChannelFormat"),
    ("audioStreamFormat", "audioTrackFormat"),
    ("audioTrackFormat", "audioStreamFormat"),
)


@rule(
    AdmMaster,
    "format_ids_differ",
    spec=PROFILE,
    fix="Give a channel, its stream and its track format the same eight digits.",
)
def format_ids_differ(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A channel, its stream and its track format have the same type and number."""
    graph = whole_graph(master)
    for kind, target in _FORMATS:
        for element in graph.of(kind):
            other = graph.one(element, target)
            if number_of(element.identifier) != number_of(other.identifier):
                yield _differs(element, other.identifier, "the same eight digits")


@rule(
    AdmMaster,
    "uid_pack_differs",
    spec=PROFILE,
    fix="Let each audioTrackUID refer to the pack of the object that uses it.",
)
def uid_pack_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A track's pack is the pack of its object."""
    graph = whole_graph(master)
    for element in graph.of("audioObject"):
        pack = graph.one(element, "audioPackFormat")
        for uid in graph.follow(element, "audioTrackUID"):
            stated = graph.one(uid, "audioPackFormat")
            if stated is not pack:
                yield _differs(uid, stated.identifier, pack.identifier)


@rule(
    AdmMaster,
    "uid_channel_differs",
    spec=PROFILE,
    fix="Let the tracks of an object lead to the channels of its pack.",
)
def uid_channel_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The channel that a track carries is in the pack of the track's object."""
    graph = whole_graph(master)
    for element in graph.of("audioObject"):
        pack = graph.one(element, "audioPackFormat")
        for uid in graph.follow(element, "audioTrackUID"):
            channel = graph.channel_of(uid)
            if not _owns(pack, channel):
                yield _differs(uid, channel.identifier, f"a channel of {pack.identifier}")


@rule(
    AdmMaster,
    "stream_pack_differs",
    spec=PROFILE,
    fix="Let each audioStreamFormat refer to the pack that its channel is in.",
)
def stream_pack_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A stream's pack is the one that its channel is in."""
    graph = whole_graph(master)
    for stream in graph.of("audioStreamFormat"):
        pack, channel = (
            graph.one(stream, "audioPackFormat"),
            graph.one(stream, "audioChannelFormat"),
        )
        if not _owns(pack, channel):
            yield _differs(stream, pack.identifier, f"the pack of {channel.identifier}")


def _owns(pack: Element, channel: Element) -> bool:
    owned = (each.upper() for each in pack.refers_to("audioChannelFormat"))
    return channel.identifier.upper() in owned


def _differs(element: Element, measured: str, allowed: str) -> Finding:
    return Finding(
        detail=f"{element.identifier} leads to {measured}, not to {allowed}.",
        location=element.identifier,
        measured=measured,
        allowed=allowed,
    )


@rule(
    AdmMaster,
    "stream_name_differs",
    spec=PROFILE,
    fix="Name the stream PCM_ and the name of its channel.",
)
def stream_name_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A stream is named after its channel."""
    graph = whole_graph(master)
    for stream in graph.of("audioStreamFormat"):
        channel = graph.one(stream, "audioChannelFormat")
        name = channel.attributes.get("audioChannelFormatName")
        yield from _named(stream, name and f"PCM_{name}")


@rule(
    AdmMaster,
    "track_name_differs",
    spec=PROFILE,
    fix="Name the track format as its stream.",
)
def track_name_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A track format is named as its stream."""
    graph = whole_graph(master)
    for track in graph.of("audioTrackFormat"):
        stream = graph.one(track, "audioStreamFormat")
        yield from _named(track, stream.attributes.get("audioStreamFormatName"))


def _named(element: Element, right: str | None) -> Iterator[Finding]:
    name = element.attributes.get(f"{element.kind}Name")
    # That a name is missing is another rule's finding.
    if name and right and name != right:
        yield Finding(
            detail=f"{element.identifier} is not named after what it carries.",
            location=element.identifier,
            measured=name,
            allowed=right,
        )
