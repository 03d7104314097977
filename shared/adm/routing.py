"""From the metadata of a master to the routes of its tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adm.routes import BedRoute, ObjectRoute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.adm.chna import Chna
    from shared.adm.model import Adm, Element, Node
    from shared.adm.routes import Route
    from shared.adm.trajectories import Trajectory


def routes_of(
    adm: Adm, chna: Chna, paths: Mapping[str, Trajectory], tracks: int
) -> tuple[Route, ...]:
    """Return a route for each of ``tracks``; None where chna or axml leave one open.

    The chain is chna, audioTrackFormat, audioStreamFormat, audioChannelFormat; ``paths`` are those
    of formats.trajectories, by channel.
    """
    track_formats = _by_id(adm, "audioTrackFormat")
    streams = _by_id(adm, "audioStreamFormat")
    channels = _by_id(adm, "audioChannelFormat")
    found: list[Route] = [None] * tracks
    for entry in chna.entries:
        track_format = track_formats.get(entry.track_format.upper())
        stream = streams.get(_referred(track_format, "audioStreamFormat"))
        channel = channels.get(_referred(stream, "audioChannelFormat"))
        if channel is not None and 1 <= entry.track <= tracks:
            found[entry.track - 1] = _route(channel, paths)
    return tuple(found)


def _by_id(adm: Adm, kind: str) -> dict[str, Element]:
    return {each.identifier.upper(): each for each in adm.of(kind)}


def _referred(element: Element | None, kind: str) -> str:
    return next(iter(element.refers_to(kind)), "").upper() if element else ""


def _route(channel: Element, paths: Mapping[str, Trajectory]) -> Route:
    path = paths.get(channel.identifier.upper())
    if path is not None:
        return ObjectRoute(path)
    block = channel.first("audioBlockFormat")
    if block is None:
        return None
    label = block.first("speakerLabel")
    return BedRoute(label.text if label else "", _position(block, "X"), _position(block, "Y"))


def _position(block: Node, axis: str) -> float:
    texts = [
        each.text for each in block.all("position") if each.attributes.get("coordinate") == axis
    ]
    try:
        return float(texts[0])
    except (IndexError, ValueError):
        return 0.0
