"""From chna over track and stream to the channel: where each track goes in the 5.1 render."""

from __future__ import annotations

import pytest

from shared.adm.chna import Chna, ChnaEntry
from shared.adm.model import Adm, Element, Node
from shared.adm.routes import BedRoute, ObjectRoute
from shared.adm.routing import routes_of
from shared.adm.trajectories import Trajectory

CHANNEL, STREAM, TRACK = "AC_0001100a", "AS_0001100a", "AT_0001100a_01"
PATH = Trajectory(CHANNEL)


def block(label: str | None = "RC_L", **positions: str) -> Node:
    """Return a bed's block: its label, and its position by axis."""
    children = [] if label is None else [Node("speakerLabel", {}, label)]
    children += [Node("position", {"coordinate": axis}, at) for axis, at in positions.items()]
    return Node("audioBlockFormat", {}, children=children)


def adm(*blocks: Node, cut: str = "") -> Adm:
    """Return the chain of one channel; ``cut`` is the element that lacks its reference."""
    to_stream = Node("audioStreamFormatIDRef", {}, STREAM.upper())
    to_channel = Node("audioChannelFormatIDRef", {}, CHANNEL.upper())
    chain = [
        Element("audioTrackFormat", {}, children=[to_stream], identifier=TRACK),
        Element("audioStreamFormat", {}, children=[to_channel], identifier=STREAM),
        Element("audioChannelFormat", {}, children=list(blocks), identifier=CHANNEL),
    ]
    found = Adm()
    for each in chain:
        found.elements[each.name].append(each)
        if each.name == cut:
            each.children = []
    return found


def chna(*tracks: int, track_format: str = TRACK) -> Chna:
    return Chna(2, tuple(ChnaEntry(track, "ATU_1", track_format, "AP_1") for track in tracks))


@pytest.mark.parametrize("spelled", [TRACK, TRACK.upper(), TRACK.lower()])
def test_identifiers_are_followed_however_they_are_spelled(spelled: str) -> None:
    table = chna(2, track_format=spelled)
    assert routes_of(adm(block("RC_R")), table, {}, 2) == (None, BedRoute("RC_R", 0.0, 0.0))
    assert routes_of(adm(), table, {CHANNEL.upper(): PATH}, 2) == (None, ObjectRoute(PATH))


@pytest.mark.parametrize("track", [-1, 0, 3, 99])
def test_a_track_that_is_not_there_has_no_route(track: int) -> None:
    assert routes_of(adm(block()), chna(track), {}, 2) == (None, None)


@pytest.mark.parametrize("cut", ["audioTrackFormat", "audioStreamFormat"])
def test_a_chain_that_is_cut_leads_nowhere(cut: str) -> None:
    assert routes_of(adm(block(), cut=cut), chna(1), {}, 1) == (None,)


def test_an_unknown_track_format_leads_nowhere() -> None:
    assert routes_of(adm(block()), chna(1, track_format="AT_9"), {}, 1) == (None,)


def test_a_channel_without_blocks_leads_nowhere() -> None:
    assert routes_of(adm(), chna(1), {}, 1) == (None,)


@pytest.mark.parametrize(
    ("label", "positions", "route"),
    [
        ("RC_Lts", {"Y": "0.25", "X": "-1"}, BedRoute("RC_Lts", -1.0, 0.25)),
        ("RC_Lts", {"Z": "1", "X": "-0.5"}, BedRoute("RC_Lts", -0.5, 0.0)),
        ("RC_Lts", {"X": "left", "Y": "1"}, BedRoute("RC_Lts", 0.0, 1.0)),
        (None, {"X": "1", "Y": "-1"}, BedRoute("", 1.0, -1.0)),
    ],
)
def test_a_bed_channel_keeps_its_label_and_position(
    label: str | None, positions: dict[str, str], route: BedRoute
) -> None:
    assert routes_of(adm(block(label, **positions)), chna(1), {}, 1) == (route,)
