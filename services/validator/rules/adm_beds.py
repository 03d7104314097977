"""Beds: which speakers they have, in which order, and that each is named and placed as itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_graph import whole_graph
from services.validator.rules.adm_parts import DIRECT_SPEAKERS, PROFILE, elements, type_of
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element, Node

Position = tuple[float, float, float]

# Label and positions of a bed's channels by their names.
_SPEAKERS: dict[str, tuple[str, tuple[Position, ...]]] = {
    "RoomCentricLeft": ("RC_L", ((-1, 1, 0),)),
    "RoomCentricRight": ("RC_R", ((1, 1, 0),)),
    "RoomCentricCenter": ("RC_C", ((0, 1, 0),)),
    "RoomCentricLFE": ("RC_LFE", ((-1, 1, -1),)),
    # Sources of the profile differ about the surrounds of 5.1, and tools write both.
    "RoomCentricLeftSurround": ("RC_Ls", ((-1, -0.36397, 0), (-1, -1, 0))),
    "RoomCentricRightSurround": ("RC_Rs", ((1, -0.36397, 0), (1, -1, 0))),
    "RoomCentricLeftSideSurround": ("RC_Lss", ((-1, 0, 0),)),
    "RoomCentricRightSideSurround": ("RC_Rss", ((1, 0, 0),)),
    "RoomCentricLeftRearSurround": ("RC_Lrs", ((-1, -1, 0),)),
    "RoomCentricRightRearSurround": ("RC_Rrs", ((1, -1, 0),)),
    "RoomCentricLeftTopSurround": ("RC_Lts", ((-1, 0, 1),)),
    "RoomCentricRightTopSurround": ("RC_Rts", ((1, 0, 1),)),
}
_LABELS = {label for label, _ in _SPEAKERS.values()}
_SETS = {
    "L R": "2.0",
    "L R C": "3.0",
    "L R C Ls Rs": "5.0",
    "L R C LFE Ls Rs": "5.1",
    "L R C Lss Rss Lrs Rrs": "7.0",
    "L R C LFE Lss Rss Lrs Rrs": "7.1",
    "L R C Lss Rss Lrs Rrs Lts Rts": "7.0.2",
    "L R C LFE Lss Rss Lrs Rrs Lts Rts": "7.1.2",
}
_PREFIX = "RC_"
_TOLERANCE = 1e-4
_FIX = "Write name, speakerLabel and position of one speaker of the profile's table."


@rule(
    AdmMaster,
    "bed_set_not_allowed",
    spec=PROFILE,
    fix="Use a bed of 2.0, 3.0, 5.0, 5.1, 7.0, 7.1, 7.0.2 or 7.1.2, and objects for more heights.",
)
def bed_set_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed has one of eight sets of channels, in their order, such as L R C LFE Ls Rs."""
    graph = whole_graph(master)
    for pack in graph.of("audioPackFormat"):
        if type_of(pack) != DIRECT_SPEAKERS:
            continue
        labels = [_identity(each) for each in graph.follow(pack, "audioChannelFormat")]
        channels = " ".join(label.removeprefix(_PREFIX) for label in labels)
        if all(labels) and channels not in _SETS:
            yield Finding(
                detail=f"The channels of the bed {pack.identifier} are no bed of the profile.",
                location=pack.identifier,
                measured=channels,
                allowed=" or ".join(_SETS.values()),
            )


def _identity(channel: Element) -> str:
    """Return the label of the speaker that a channel is by its name, else by its label."""
    named = _SPEAKERS.get(channel.attributes.get("audioChannelFormatName", ""))
    stated = _label(channel)
    return named[0] if named else stated if stated in _LABELS else ""


def _label(channel: Element) -> str:
    block = channel.first("audioBlockFormat")
    labels = block.all("speakerLabel") if block else []
    return labels[0].text if len(labels) == 1 else ""


@rule(AdmMaster, "speaker_name_not_allowed", spec=PROFILE, fix=_FIX)
def speaker_name_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed's channel has one of the profile's names, such as RoomCentricLeft."""
    for channel in _bed_channels(master):
        name = channel.attributes.get("audioChannelFormatName", "")
        if name and name not in _SPEAKERS:
            yield Finding(
                detail=f"{channel.identifier} has a name that no speaker of a bed has.",
                location=channel.identifier,
                measured=name,
                allowed=", ".join(_SPEAKERS),
            )


@rule(AdmMaster, "speaker_label_differs", spec=PROFILE, fix=_FIX)
def speaker_label_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed channel's speakerLabel is the one of its name, such as RC_L for RoomCentricLeft."""
    for channel in _bed_channels(master):
        stated, right = _label(channel), _identity(channel)
        if stated and stated != right:
            yield Finding(
                detail=f"The label of {channel.identifier} is not that of its name.",
                location=channel.identifier,
                measured=stated,
                allowed=right or ", ".join(sorted(_LABELS)),
            )


@rule(AdmMaster, "speaker_position_differs", spec=PROFILE, fix=_FIX)
def speaker_position_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed's channel is where its speaker is."""
    places = dict(_SPEAKERS.values())
    for channel in _bed_channels(master):
        allowed = places.get(_identity(channel))
        position = _position(channel.first("audioBlockFormat"))
        if allowed and position and not any(_near(position, place) for place in allowed):
            yield Finding(
                detail=f"{channel.identifier} is not where its speaker is.",
                location=channel.identifier,
                measured=position,
                allowed=" or ".join(str(place) for place in allowed),
            )


def _bed_channels(master: AdmMaster) -> Iterator[Element]:
    channels = elements(master, "audioChannelFormat")
    return (channel for channel in channels if type_of(channel) == DIRECT_SPEAKERS)


def _position(block: Node | None) -> Position | None:
    """Return X, Y and Z; None when they are not three numbers, which a rule of blocks tells."""
    stated = (
        {each.attributes.get("coordinate"): each.text for each in block.children} if block else {}
    )
    try:
        return float(stated["X"]), float(stated["Y"]), float(stated["Z"])
    except (KeyError, ValueError):
        return None


def _near(position: Position, place: Position) -> bool:
    pairs = zip(position, place, strict=True)
    return all(abs(value - right) <= _TOLERANCE for value, right in pairs)
