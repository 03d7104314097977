"""The tree of a programme: as far as a file can be followed, and no larger than a report holds."""

from __future__ import annotations

from array import array

import pytest

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.programme import (
    MAX_ALL_POINTS,
    MAX_PARTS,
    MAX_POINTS,
    programme_of,
    thinned,
)
from services.validator.report import Point
from shared.adm.chna import Chna, ChnaEntry
from shared.adm.model import Adm, Element, Node
from shared.adm.riff import Fmt, RiffFile
from shared.adm.source import FormatError
from shared.adm.trajectories import Trajectory

TRACK, STREAM, CHANNEL = "AT_0003100a_01", "AS_0003100a", "AC_0003100a"
FMT = Fmt(1, 1, 48_000, 144_000, 3, 24)


def refers(kind: str, to: str) -> Node:
    suffix = "Ref" if kind == "audioTrackUID" else "IDRef"
    return Node(f"{kind}{suffix}", {}, to)


def element(kind: str, identifier: str, *children: Node, **attributes: str) -> Element:
    return Element(kind, attributes, children=list(children), identifier=identifier)


def master(*elements: Element, entries: int = 1) -> AdmMaster:
    """Return a master of one channel's chain and these elements."""
    adm = Adm()
    chain = (
        element("audioTrackFormat", TRACK, refers("audioStreamFormat", STREAM.upper())),
        element("audioStreamFormat", STREAM, refers("audioChannelFormat", CHANNEL.upper())),
        element("audioPackFormat", "AP_00031001", typeLabel="0003"),
        element("audioPackFormat", "AP_00011001", typeLabel="0001"),
        Element("audioChannelFormat", {}, identifier=CHANNEL, blocks=7),
    )
    for each in (*chain, *elements):
        adm.elements[each.name].append(each)
    table = [ChnaEntry(9, f"ATU_{number}a", TRACK.lower(), "AP") for number in range(entries)]
    riff = RiffFile("RIFF", 0, None, (), FMT, {})
    return AdmMaster(riff, FMT, Chna(9, tuple(table)), adm, None)


def sounding(pack: str, *uids: str, name: str = "n") -> Element:
    uid_refs = [refers("audioTrackUID", uid) for uid in uids]
    references = (refers("audioPackFormat", pack), *uid_refs)
    return element("audioObject", "AO_1001", *references, audioObjectName=name)


def path(*places: float, channel: str = CHANNEL) -> Trajectory:
    """Return a path along x, a second from place to place."""
    zeros = array("d", [0.0] * len(places))
    found = Trajectory(channel, array("d", range(len(places))))
    found.x, found.y, found.z = array("d", places), zeros, zeros
    return found


def test_the_chain_is_followed_however_it_is_spelled() -> None:
    moves = path(0.0, 0.5)
    found = programme_of(master(sounding("ap_00031001", "atu_0A")), {CHANNEL.upper(): moves})
    assert found is not None
    [each] = found.objects
    assert (each.track, each.blocks, each.path) == (9, 7, thinned(moves, 2))
    assert (found.id, found.name, found.beds) == ("", "", ())


def test_what_cannot_be_followed_is_left_out() -> None:
    found = programme_of(master(sounding("AP_00011001", "ATU_9", "ATU_0a"), sounding("AP_9")), {})
    assert found is not None
    assert [[each.track for each in bed.channels] for bed in found.beds] == [[9]]
    assert found.objects == ()


def test_texts_of_the_file_are_made_fit_to_show() -> None:
    wild = "a\x1b\u202e"
    found = programme_of(
        master(
            element("audioProgramme", wild, audioProgrammeName=wild),
            sounding("AP_00031001", name=wild),
        ),
        {},
    )
    assert found is not None
    assert {found.id, found.name, found.objects[0].name} == {
        "a\N{REPLACEMENT CHARACTER}" + "\N{REPLACEMENT CHARACTER}"
    }


def test_no_more_is_told_than_a_master_has() -> None:
    uids = [f"ATU_{number}a" for number in range(MAX_PARTS + 1)]
    beds = [sounding("AP_00011001", *uids)] * (MAX_PARTS + 1)
    found = programme_of(master(*beds, entries=MAX_PARTS + 1), {})
    assert found is not None
    assert len(found.beds) == MAX_PARTS
    assert {len(bed.channels) for bed in found.beds} == {MAX_PARTS}


@pytest.mark.parametrize(("objects", "points"), [(1, MAX_POINTS), (100, MAX_ALL_POINTS // 100)])
def test_all_paths_together_are_bounded(objects: int, points: int) -> None:
    wild = path(*((-1.0) ** number for number in range(500)))
    found = programme_of(
        master(*[sounding("AP_00031001", "ATU_0a")] * objects), {CHANNEL.upper(): wild}
    )
    assert found is not None
    assert {len(each.path) for each in found.objects} == {points}


def test_xml_that_cannot_be_read_is_no_programme() -> None:
    riff = RiffFile("RIFF", 0, None, (), FMT, {})
    assert programme_of(AdmMaster(riff, FMT, None, FormatError("no XML", 0), None), {}) is None


def test_a_path_of_just_as_many_points_is_whole() -> None:
    assert [each.x for each in thinned(path(0, 0.1, 0.1, 0.2, 0.3), 4)] == [0, 0.1, 0.2, 0.3]
    assert [each.seconds for each in thinned(path(0, 0.1, 0.1, 0.2, 0.3), 4)] == [0, 1, 3, 4]


def test_points_are_rounded_and_stay_in_the_room() -> None:
    moves = path(-9.0, 0.12345)
    moves.start[1] = 1.23456
    assert thinned(moves, 9) == (Point(0.0, -1.0, 0.0, 0.0), Point(1.23, 0.123, 0.0, 0.0))
