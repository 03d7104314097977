"""What an audioBlockFormat is made of: its attributes and elements, and theirs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.registry import Finding, rule
from shared.adm.blocks import Form
from shared.adm.model import DIRECT_SPEAKERS, OBJECTS, Adm, channel_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_PROFILE = "Dolby Atmos Master ADM Profile v1.0, audioBlockFormat; ITU-R BS.2076 §5.4.3"
_REQUIRED_ATTRIBUTES = {
    DIRECT_SPEAKERS: ("audioBlockFormatID",),
    OBJECTS: ("audioBlockFormatID", "rtime", "duration"),
}
_TIMES = ("rtime", "duration")
_REQUIRED = {DIRECT_SPEAKERS: ("cartesian", "speakerLabel"), OBJECTS: ("cartesian", "jumpPosition")}
_OBJECT_ELEMENTS = (
    "cartesian position jumpPosition gain importance width depth height diffuse channelLock"
    " zoneExclusion"
)
_ELEMENTS = {
    DIRECT_SPEAKERS: ("cartesian", "position", "speakerLabel"),
    OBJECTS: tuple(_OBJECT_ELEMENTS.split()),
}
_ATTRIBUTES = {
    "position": ("coordinate",),
    "jumpPosition": ("interpolationLength",),
    "gain": ("gainUnit",),
}


@rule(
    Form,
    "block_attribute_missing",
    spec=_PROFILE,
    fix="Give each audioBlockFormat its audioBlockFormatID, and that of an object its rtime and"
    " duration.",
)
def block_attribute_missing(form: Form, _: Profile) -> Iterator[Finding]:
    """A block lacks its identifier, or an object's block does not say when it holds."""
    for name in _REQUIRED_ATTRIBUTES.get(form.kind, ()):
        if name not in form.attributes:
            yield Finding(detail=f"The block has no {name}.", measured="none", allowed=name)


@rule(
    Form,
    "bed_block_timed",
    spec=_PROFILE,
    fix="Remove rtime and duration from the blocks of DirectSpeakers channels.",
)
def bed_block_timed(form: Form, _: Profile) -> Iterator[Finding]:
    """A bed channel stands still, so its one block holds for the whole programme."""
    if form.kind == DIRECT_SPEAKERS:
        for name in _TIMES:
            if name in form.attributes:
                yield Finding(detail=f"A bed's block has no {name}.", measured=name)


@rule(
    Form,
    "block_attribute_not_allowed",
    spec=_PROFILE,
    fix="Remove every attribute of audioBlockFormat but audioBlockFormatID, rtime and duration.",
)
def block_attribute_not_allowed(form: Form, _: Profile) -> Iterator[Finding]:
    """The profile knows three attributes of a block; any other one may change what it means."""
    for name in form.attributes:
        if form.kind and name not in _REQUIRED_ATTRIBUTES[OBJECTS]:
            yield Finding(
                detail=f"A block has no attribute {name}.",
                measured=name,
                allowed=", ".join(_REQUIRED_ATTRIBUTES[form.kind]),
            )


@rule(
    Form,
    "block_element_missing",
    spec=_PROFILE,
    fix="Write cartesian in every block, speakerLabel in that of a bed channel and jumpPosition in"
    " those of an object.",
)
def block_element_missing(form: Form, _: Profile) -> Iterator[Finding]:
    """A block lacks an element that the profile wants in each one."""
    for name in _REQUIRED.get(form.kind, ()):
        if not form.all(name):
            yield Finding(detail=f"The block has no {name}.", measured=0, allowed=f"one {name}")


@rule(
    Form,
    "block_element_repeated",
    spec=_PROFILE,
    fix="Write each element of a block once; only position and its coordinates come several times.",
)
def block_element_repeated(form: Form, _: Profile) -> Iterator[Finding]:
    """Of two elements of one kind a reader may believe either."""
    counts = Counter(child.name for child in form.children)
    for name in _ELEMENTS.get(form.kind, ()):
        if counts[name] > 1 and name != "position":
            yield Finding(
                detail=f"The block has {counts[name]} {name} elements.",
                measured=counts[name],
                allowed=1,
            )


@rule(
    Form,
    "block_element_not_allowed",
    spec=_PROFILE,
    fix="Remove the element: no renderer of Atmos masters obeys it. Bed channels have no"
    " jumpPosition, objects no objectDivergence, screenRef or headLocked.",
)
def block_element_not_allowed(form: Form, _: Profile) -> Iterator[Finding]:
    """An element that the profile does not list makes the file non-compliant."""
    for child in form.children:
        if form.kind and child.name not in _ELEMENTS[form.kind]:
            yield Finding(
                detail=f"A block of type {form.kind} has no element {child.name}.",
                measured=child.name,
                allowed=", ".join(_ELEMENTS[form.kind]),
            )
        elif child.name != "zoneExclusion" and child.children:
            yield Finding(detail=f"The element {child.name} has elements of its own.")


@rule(
    Form,
    "block_element_attribute_not_allowed",
    spec=_PROFILE,
    fix="Remove the attribute: positions have no bound and no screenEdgeLock, channelLock has no"
    " maxDistance.",
)
def block_element_attribute_not_allowed(form: Form, _: Profile) -> Iterator[Finding]:
    """An attribute inside a block that the profile does not list changes the rendering unseen."""
    known = [child for child in form.children if child.name in _ELEMENTS.get(form.kind, ())]
    for child in known:
        allowed = _ATTRIBUTES.get(child.name, ())
        for name in child.attributes:
            if name not in allowed:
                yield Finding(
                    detail=f"The element {child.name} has no attribute {name}.",
                    measured=name,
                    allowed=", ".join(allowed) or "none",
                )


@rule(
    Form,
    "block_coordinates_wrong",
    spec=_PROFILE,
    fix="Give each position once as Cartesian X, Y and Z; an object may leave out a Z of 0.",
)
def block_coordinates_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """A place needs one X and one Y, a bed's channel also one Z; polar coordinates are not used."""
    if form.kind:
        places = form.all("position")
        axes = sorted(place.attributes.get("coordinate", "none") for place in places)
        allowed = [["X", "Y", "Z"], ["X", "Y"]] if form.kind == OBJECTS else [["X", "Y", "Z"]]
        if axes not in allowed:
            yield Finding(
                detail="The positions of the block are not one X, one Y and one Z.",
                measured=" ".join(axes) or "none",
                allowed=" or ".join(" ".join(each) for each in allowed),
            )


@rule(
    AdmMaster,
    "bed_block_count",
    spec=_PROFILE,
    fix="Write exactly one audioBlockFormat in each DirectSpeakers channel.",
)
def bed_block_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed channel has one place, and so one block."""
    for channel in master.adm.of("audioChannelFormat") if isinstance(master.adm, Adm) else ():
        kind = channel_type(channel.identifier, channel.attributes)
        if kind == DIRECT_SPEAKERS and channel.blocks > 1:
            yield Finding(
                detail=f"The channel {channel.identifier} has {channel.blocks} blocks.",
                location=channel.identifier,
                measured=channel.blocks,
                allowed=1,
            )
